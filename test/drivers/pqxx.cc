#include <cstdlib>
#include <iostream>
#include <pqxx/pqxx>
#include <thread>

static const std::string table = std::getenv("TABLE");

static void check(bool holds, const std::string &what)
{
	if (holds)
		return;
	std::cerr << what << "\n";
	std::exit(1);
}

static int number(pqxx::connection &c, const std::string &sql)
{
	pqxx::nontransaction t(c);

	return t.exec1(sql)[0].as<int>();
}

static void prepared(pqxx::connection &c)
{
	c.prepare("plus", "SELECT $1::int + 1");
	for (int i = 0; i < 20; i++) {
		pqxx::work t(c);

		check(t.exec_prepared1("plus", i)[0].as<int>() == i + 1, "a wrong sum");
		if (i % 2 == 0)
			t.commit();
	}
}

static void transaction(pqxx::connection &c)
{
	for (int round = 0; round < 2; round++) {
		pqxx::work t(c);

		for (int i = 0; i < 100; i++)
			t.exec_params0("INSERT INTO " + table + " VALUES ($1, $2)", i, "row");
		if (round == 0)
			t.commit();
	}
	check(number(c, "SELECT count(*) FROM " + table) == 100, "rows were lost or stayed");
}

static void error(pqxx::connection &c)
{
	try {
		number(c, "SELECT 1/0");
		check(false, "no error");
	} catch (const pqxx::sql_error &e) {
		check(std::string(e.what()).find("division by zero") != std::string::npos, e.what());
	}
	check(number(c, "SELECT 1") == 1, "it does not go on");
}

static void big(pqxx::connection &c)
{
	pqxx::work t(c);
	int n = 0;

	for (auto row : t.exec("SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n"))
		check(row[0].as<int>() == ++n && row[1].size() == 200, "a row is broken");
	check(n == 20000, "rows are missing");
}

static void copy(pqxx::connection &c)
{
	pqxx::work t(c);
	pqxx::stream_to in(t, table, std::vector<std::string>{"n", "t"});
	std::tuple<int, std::string> row;
	int n = 0;

	for (int i = 0; i < 5000; i++)
		in << std::make_tuple(1000 + i, std::string("copied"));
	in.complete();
	pqxx::stream_from out(t, table);
	while (out >> row)
		n += std::get<0>(row) >= 1000 && std::get<1>(row) == "copied";
	out.complete();
	check(n == 5000, "COPY OUT is not what went in");
	t.commit();
}

static void cancel(pqxx::connection &c)
{
	pqxx::connection watch;
	std::thread other([&] {
		while (number(watch, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_advisory_lock(7) AS " + table + "'") == 0)
			std::this_thread::yield();
		c.cancel_query();
	});

	try {
		number(c, "SELECT pg_advisory_lock(7) AS " + table);
		check(false, "not cancelled");
	} catch (const pqxx::sql_error &e) {
		check(std::string(e.what()).find("canceling statement") != std::string::npos, e.what());
	}
	other.join();
	check(number(c, "SELECT 7") == 7, "it does not go on");
}

int main()
{
	pqxx::connection c;

	pqxx::nontransaction(c).exec("CREATE TABLE " + table + " (n int, t text)");
	prepared(c);
	transaction(c);
	error(c);
	big(c);
	copy(c);
	cancel(c);
	pqxx::nontransaction(c).exec("DROP TABLE " + table);
	std::cout << "prepared transaction error big copy cancel\n";
}
