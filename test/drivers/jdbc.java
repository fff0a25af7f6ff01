import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

class jdbc {
	static final String TABLE = System.getenv("TABLE");

	static void check(boolean holds, String what) {
		if (!holds)
			throw new AssertionError(what);
	}

	static int number(Connection c, String sql) throws SQLException {
		try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
			r.next();
			return r.getInt(1);
		}
	}

	static void fails(String sqlstate, Statement s, String sql) throws SQLException {
		try {
			s.execute(sql);
		} catch (SQLException e) {
			check(sqlstate.equals(e.getSQLState()), e.getSQLState() + " " + e.getMessage());
			return;
		}
		throw new AssertionError(sql + " did not fail");
	}

	/* The driver prepares by name from the fifth use on. */
	static void prepared(Connection c) throws SQLException {
		try (PreparedStatement p = c.prepareStatement("SELECT ?::int + 1")) {
			for (int i = 0; i < 20; i++) {
				p.setInt(1, i);
				try (ResultSet r = p.executeQuery()) {
					r.next();
					check(r.getInt(1) == i + 1, "a wrong sum");
				}
				c.setAutoCommit(i % 3 == 0);
			}
		}
		c.setAutoCommit(true);
	}

	static void transaction(Connection c) throws SQLException {
		c.setAutoCommit(false);
		try (PreparedStatement p = c.prepareStatement("INSERT INTO " + TABLE + " VALUES (?, ?)")) {
			for (int round = 0; round < 2; round++) {
				for (int i = 0; i < 100; i++) {
					p.setInt(1, i);
					p.setString(2, "row " + i);
					p.addBatch();
				}
				p.executeBatch();
				if (round == 0)
					c.commit();
				else
					c.rollback();
			}
		}
		c.setAutoCommit(true);
		check(number(c, "SELECT count(*) FROM " + TABLE) == 100, "rows were lost or stayed");
	}

	static void big(Connection c) throws SQLException {
		c.setAutoCommit(false);
		try (Statement s = c.createStatement()) {
			int n = 0;
			s.setFetchSize(500);
			try (ResultSet r = s.executeQuery("SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n")) {
				while (r.next()) {
					n++;
					check(r.getInt(1) == n && r.getString(2).length() == 200, "a row is broken");
				}
			}
			check(n == 20000, "rows are missing");
		}
		c.commit();
		c.setAutoCommit(true);
	}

	static void copy(Connection c) throws Exception {
		CopyManager m = c.unwrap(PGConnection.class).getCopyAPI();
		StringBuilder lines = new StringBuilder();
		StringWriter out = new StringWriter();

		for (int i = 0; i < 5000; i++)
			lines.append(1000 + i).append("\tcopied\n");
		check(m.copyIn("COPY " + TABLE + " FROM STDIN", new StringReader(lines.toString())) == 5000, "not all went in");
		m.copyOut("COPY (SELECT * FROM " + TABLE + " WHERE n >= 1000 ORDER BY n) TO STDOUT", out);
		check(out.toString().equals(lines.toString()), "COPY OUT is not what went in");
	}

	static void cancel(Connection c) throws Exception {
		try (Statement s = c.createStatement()) {
			s.setQueryTimeout(1);
			fails("57014", s, "SELECT pg_advisory_lock(7)");
		}
		check(number(c, "SELECT 7") == 7, "it does not go on");
	}

	public static void main(String[] args) throws Exception {
		String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");

		try (Connection c = DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
			try (Statement s = c.createStatement()) {
				s.execute("CREATE TABLE " + TABLE + " (n int, t text)");
				prepared(c);
				transaction(c);
				fails("22012", s, "SELECT 1/0");
				check(number(c, "SELECT 1") == 1, "it does not go on");
				big(c);
				copy(c);
				cancel(c);
				s.execute("DROP TABLE " + TABLE);
			}
		}
		System.out.println("prepared transaction error big copy cancel");
	}
}
