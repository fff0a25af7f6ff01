// The console by JDBC as it is without options: everything is prepared.
import java.sql.*;

public class jdbc {
	static void check(boolean holds, Object what) {
		if (!holds) {
			System.err.println("not so: " + what);
			System.exit(1);
		}
	}

	static String state(Statement s, String sql) {
		try {
			s.execute(sql);
			return "none";
		} catch (SQLException e) {
			return e.getSQLState() + " " + e.getMessage().split("\n")[0];
		}
	}

	public static void main(String[] args) throws Exception {
		String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/pgbouncer";

		try (Connection c = DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
			check(c.isValid(10), "isValid");
			// more often than prepareThreshold, so that results come in binary
			for (int i = 0; i < 12; i++) {
				try (PreparedStatement p = c.prepareStatement("SHOW POOLS"); ResultSet r = p.executeQuery()) {
					boolean found = false;
					while (r.next())
						found |= r.getString("database").equals("pgbouncer") && r.getInt("sv_idle") == 0;
					check(found, "SHOW POOLS");
				}
				try (PreparedStatement p = c.prepareStatement("SHOW STATS"); ResultSet r = p.executeQuery()) {
					check(r.next() && r.getBigDecimal("total_xact_count").signum() >= 0, "SHOW STATS");
				}
			}
			try (Statement s = c.createStatement()) {
				s.setMaxRows(3);
				ResultSet r = s.executeQuery("SHOW CONFIG");
				int n = 0;
				while (r.next())
					n++;
				check(n == 3, "maxRows");
				s.setMaxRows(0);
				for (int i = 0; i < 7; i++)
					s.execute("PAUSE second");
				s.execute("RESUME second");
				check(state(s, "nonsense").startsWith("08P01 ERROR: invalid command 'nonsense'"), state(s, "nonsense"));
				check(state(s, "PAUSE nowhere").equals("08P01 ERROR: no such database: nowhere"), state(s, "PAUSE nowhere"));
				s.execute("SET query_wait_timeout = 77");
			}
		}
		System.out.println("done");
	}
}
