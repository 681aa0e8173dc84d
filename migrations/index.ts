/** The migrations in order, embedded in the executable. A released one is never edited; a new one is a new line. */
import spine from "./0001_spine.sql" with { type: "text" };
import certificates from "./0002_certificates.sql" with { type: "text" };
import authorization from "./0003_authorization.sql" with { type: "text" };
import attempts from "./0004_attempts.sql" with { type: "text" };
import people from "./0005_people.sql" with { type: "text" };
import shapes from "./0006_shapes.sql" with { type: "text" };
import connections from "./0007_connections.sql" with { type: "text" };
import calls from "./0008_calls.sql" with { type: "text" };
import callKinds from "./0009_call_kinds.sql" with { type: "text" };
import audit from "./0010_audit.sql" with { type: "text" };
import signIns from "./0011_sign_ins.sql" with { type: "text" };
import snapshots from "./0012_snapshots.sql" with { type: "text" };

/** Position in the list + 1 is the schema version (`PRAGMA user_version`). */
export const migrations: readonly string[] = [
	spine,
	certificates,
	authorization,
	attempts,
	people,
	shapes,
	connections,
	calls,
	callKinds,
	audit,
	signIns,
	snapshots,
];
