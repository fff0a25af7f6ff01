<?php
$table = getenv("TABLE");

function check($holds, $what)
{
	if (!$holds) {
		fwrite(STDERR, "$what\n");
		exit(1);
	}
}

$db = new PDO("pgsql:host=" . getenv("PGHOST") . ";port=" . getenv("PGPORT") . ";dbname=" . getenv("PGDATABASE"), getenv("PGUSER"),
	getenv("PGPASSWORD"), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->exec("CREATE TABLE $table (n int, t text)");

$plus = $db->prepare("SELECT ?::int + 1");
for ($i = 0; $i < 20; $i++) {
	if ($i % 3 == 0)
		$db->beginTransaction();
	$plus->execute([$i]);
	check($plus->fetchColumn() == $i + 1, "a wrong sum");
	if ($i % 3 == 1)
		$db->commit();
	if ($i % 3 == 0 && $i % 2 == 0)
		$db->query("SELECT 1")->fetchAll();
}
if ($db->inTransaction())
	$db->commit();

foreach (["commit", "rollBack"] as $end) {
	$db->beginTransaction();
	$insert = $db->prepare("INSERT INTO $table VALUES (:n, :t)");
	for ($i = 0; $i < 100; $i++)
		$insert->execute(["n" => $i, "t" => "row $i"]);
	$db->$end();
}
check($db->query("SELECT count(*) FROM $table")->fetchColumn() == 100, "rows were lost or stayed");

try {
	$db->query("SELECT 1/0");
	check(false, "no error");
} catch (PDOException $e) {
	check($e->getCode() == "22012", $e->getMessage());
}
check($db->query("SELECT 1")->fetchColumn() == 1, "it does not go on");

$n = 0;
foreach ($db->query("SELECT n, repeat('x', 200) t FROM generate_series(1, 20000) n") as $row)
	check($row["n"] == ++$n && strlen($row["t"]) == 200, "a row is broken");
check($n == 20000, "rows are missing");

$lines = [];
for ($i = 0; $i < 5000; $i++)
	$lines[] = (1000 + $i) . "\tcopied\n";
$db->pgsqlCopyFromArray($table, $lines);
$out = $db->pgsqlCopyToArray($table);
check(count($out) == 5100 && count(array_intersect($lines, $out)) == 5000, "COPY OUT is not what went in");

/* PDO cannot cancel; the other extension can */
$pg = pg_connect("host=" . getenv("PGHOST") . " port=" . getenv("PGPORT") . " dbname=" . getenv("PGDATABASE") . " user=" . getenv("PGUSER") .
	" password=" . getenv("PGPASSWORD"));
pg_send_query($pg, "SELECT 5");
check(pg_fetch_result(pg_get_result($pg), 0) == 5, "a wrong row");
check(pg_get_result($pg) === false, "more than one result");
$sleep = "SELECT pg_advisory_lock(7) AS $table";
check(pg_send_query_params($pg, $sleep, []), "not sent");
$running = $db->prepare("SELECT count(*) FROM pg_stat_activity WHERE query = ?");
do
	$running->execute([$sleep]);
while ($running->fetchColumn() == 0);
check(pg_cancel_query($pg), "not cancelled");
check(pg_fetch_result(pg_query_params($pg, "SELECT $1::int", [7]), 0) == 7, "it does not go on");
pg_close($pg);

$db->exec("DROP TABLE $table");
echo "prepared transaction error big copy cancel\n";
