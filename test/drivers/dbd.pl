use strict;
use warnings;
use DBI;
use DBD::Pg qw(:async);

my $table = $ENV{TABLE};
sub check { my ($holds, $what) = @_; die "$what\n" unless $holds }

my $db = DBI->connect("dbi:Pg:dbname=$ENV{PGDATABASE};host=$ENV{PGHOST};port=$ENV{PGPORT}", $ENV{PGUSER}, $ENV{PGPASSWORD},
	{RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_server_prepare => 1});
$db->do("SET client_min_messages TO warning");
$db->do("CREATE TABLE $table (n int, t text)");

my $plus = $db->prepare("SELECT ?::int + 1");
for my $i (0 .. 19) {
	$db->begin_work if $i % 3 == 0;
	$plus->execute($i);
	check($plus->fetchrow_array == $i + 1, "a wrong sum");
	$plus->finish;
	$db->commit if $i % 3 == 1;
}
$db->commit unless $db->{AutoCommit};

for my $end (qw(commit rollback)) {
	$db->begin_work;
	my $insert = $db->prepare("INSERT INTO $table VALUES (?, ?)");
	$insert->execute($_, "row $_") for 0 .. 99;
	$db->$end;
}
check($db->selectrow_array("SELECT count(*) FROM $table") == 100, "rows were lost or stayed");

eval { $db->do("SELECT 1/0"); 1 } and die "no error\n";
check($db->state eq "22012", $db->state);
check($db->selectrow_array("SELECT 1") == 1, "it does not go on");

my ($n, $big) = (0, $db->prepare("SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n"));
$big->execute;
while (my @row = $big->fetchrow_array) {
	check($row[0] == ++$n && length $row[1] == 200, "a row is broken");
}
check($n == 20000, "rows are missing");

my @lines = map { 1000 + $_ . "\tcopied\n" } 0 .. 4999;
$db->do("COPY $table FROM STDIN");
$db->pg_putcopydata($_) for @lines;
$db->pg_putcopyend;
$db->do("COPY (SELECT * FROM $table WHERE n >= 1000 ORDER BY n) TO STDOUT");
my ($line, $out) = ("", "");
$out .= $line while $db->pg_getcopydata(\$line) >= 0;
check($out eq join("", @lines), "COPY OUT is not what went in");

my $watch = $db->clone;
my $sleep = "SELECT pg_advisory_lock(7) AS $table";
$db->do($sleep, {pg_async => PG_ASYNC});
1 until $watch->selectrow_array("SELECT count(*) FROM pg_stat_activity WHERE query = ?", undef, $sleep);
$watch->disconnect;
$db->pg_cancel;
check($db->selectrow_array("SELECT 7") == 7, "it does not go on");

$db->do("DROP TABLE $table");
$db->disconnect;
print "prepared transaction error big copy cancel\n";
