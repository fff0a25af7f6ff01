require "pg"

table = ENV["TABLE"]
check = lambda { |holds, what| holds or abort what }
db = PG.connect # as the environment says
db.exec "CREATE TABLE #{table} (n int, t text)"

db.prepare "plus", "SELECT $1::int + 1"
20.times do |i|
	db.exec "BEGIN" if i % 3 == 0
	check.(db.exec_prepared("plus", [i]).getvalue(0, 0).to_i == i + 1, "a wrong sum")
	db.exec "COMMIT" if i % 3 == 1
end
check.(db.describe_prepared("plus").nparams == 1, "described wrongly")

db.transaction { |t| 100.times { |i| t.exec_params "INSERT INTO #{table} VALUES ($1, $2)", [i, "row #{i}"] } }
begin
	db.transaction do |t|
		t.exec "DELETE FROM #{table}"
		raise "back"
	end
rescue RuntimeError => e
	check.(e.message == "back", e.message)
end
check.(db.exec("SELECT count(*) FROM #{table}").getvalue(0, 0) == "100", "rows were lost or stayed")

begin
	db.exec "SELECT 1/0"
	abort "no error"
rescue PG::DivisionByZero => e
	check.(e.result.error_field(PG::PG_DIAG_SQLSTATE) == "22012", e.message)
end
check.(db.exec("SELECT 1").getvalue(0, 0) == "1", "it does not go on")

n = 0
db.send_query "SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n"
db.set_single_row_mode
db.get_result.stream_each_row do |row|
	n += 1
	check.(row[0].to_i == n && row[1].size == 200, "a row is broken")
end
check.(n == 20000, "rows are missing")
nil while db.get_result

lines = (0...5000).map { |i| "#{1000 + i}\tcopied\n" }
db.copy_data("COPY #{table} FROM STDIN") { lines.each { |line| db.put_copy_data line } }
out = []
db.copy_data "COPY (SELECT * FROM #{table} WHERE n >= 1000 ORDER BY n) TO STDOUT" do
	while line = db.get_copy_data
		out << line
	end
end
check.(out == lines, "COPY OUT is not what went in")

watch = PG.connect
db.send_query "SELECT pg_advisory_lock(7) AS #{table}"
nil while watch.exec("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_advisory_lock(7) AS #{table}'").getvalue(0, 0) == "0"
error = db.cancel
check.(error.nil?, error)
begin
	db.get_last_result
	abort "not cancelled"
rescue PG::QueryCanceled
end
check.(db.exec("SELECT 7").getvalue(0, 0) == "7", "it does not go on")

db.exec "DROP TABLE #{table}"
puts "prepared transaction error big copy cancel"
