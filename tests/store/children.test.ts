import { expect, test } from "bun:test";
import {
	createChild,
	deleteChild,
	listChildren,
} from "../../src/store/children.ts";
import { openDatabase } from "../../src/store/database.ts";

test("a process is kept until it is forgotten, and a later one of its pid takes its place", () => {
	const db = openDatabase(":memory:");
	const child = { pid: 7, startTime: "1", bootId: "b", serverId: "srv_1" };
	createChild(db, child);
	createChild(db, { ...child, pid: 8 });
	createChild(db, { ...child, startTime: "2" });
	expect(listChildren(db)).toEqual([
		{ ...child, startTime: "2" },
		{ ...child, pid: 8 },
	]);
	deleteChild(db, 7);
	expect(listChildren(db).map(({ pid }) => pid)).toEqual([8]);
});
