/** Running stdio processes, so that a gateway that was killed can find what it left behind. */
import type { Database } from "./database.ts";

/** A process, told apart from a later one of the same pid by its start time and the machine's boot. */
export type ChildRow = {
	readonly pid: number;
	/** In clock ticks since boot, as the kernel writes it. */
	readonly startTime: string;
	readonly bootId: string;
	readonly serverId: string;
};

/** Records a process that was started; a leftover row of the same pid is replaced. */
export function createChild(db: Database, child: ChildRow): void {
	db.query(
		`INSERT OR REPLACE INTO children (pid, start_time, boot_id, server_id)
		 VALUES ($pid, $startTime, $bootId, $serverId)`,
	).run({ ...child });
}

/** Forgets a process that has ended. */
export function deleteChild(db: Database, pid: number): void {
	db.query("DELETE FROM children WHERE pid = ?").run(pid);
}

/** Every recorded process. */
export function listChildren(db: Database): readonly ChildRow[] {
	return db
		.query<ChildRow, []>(
			"SELECT pid, start_time AS startTime, boot_id AS bootId, server_id AS serverId FROM children ORDER BY pid",
		)
		.all();
}
