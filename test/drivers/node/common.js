exports.table = process.env.TABLE;

exports.check = (holds, what) => {
	if (!holds) throw new Error(what);
};

/** The promise fails with this SQLSTATE, wherever the library keeps it; undefined: with any error of the driver's own. */
exports.fails = async (sqlstate, promise) => {
	try {
		await promise;
	} catch (e) {
		const found = e.meta?.driverAdapterError?.cause.originalCode ?? e.code ?? e.parent?.code ?? e.driverError?.code ?? e.cause?.code;
		if (sqlstate !== undefined && found !== sqlstate) throw e;
		return;
	}
	throw new Error("no error");
};

exports.url = `postgres://${process.env.PGUSER}:${process.env.PGPASSWORD}@${process.env.PGHOST}:${process.env.PGPORT}/${process.env.PGDATABASE}`;
