import { expect, test } from "bun:test";
import {
	deleteAcmeAccount,
	findAcmeAccount,
	setAcmeAccount,
} from "../../src/store/acme-accounts.ts";
import {
	clearOrderState,
	findOrderState,
	releaseOrderLease,
	setOrderState,
	takeOrderLease,
} from "../../src/store/certificate-orders.ts";
import {
	createCertificate,
	findCertificate,
	updateRenewal,
} from "../../src/store/certificates.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";

const NAMES = "gate.example.org";

function keep(db: Database, fingerprint: string, names = NAMES): void {
	createCertificate(db, {
		fingerprint,
		names,
		directory: null,
		chain: `chain of ${fingerprint}`,
		keySealed: new Uint8Array([1]),
		createdAt: 5,
	});
}

test("the newest certificate of a set of names counts, and a few older ones stay", () => {
	const db = openDatabase(":memory:");
	for (const fingerprint of ["a", "b", "c", "d", "e"]) keep(db, fingerprint);
	keep(db, "other", "other.example.org");
	expect(findCertificate(db, NAMES)?.fingerprint).toBe("e");
	const kept = db
		.query("SELECT fingerprint FROM certificates ORDER BY id")
		.values();
	expect(kept.flat()).toEqual(["c", "d", "e", "other"]);
	expect(findCertificate(db, "nobody.example.org")).toBeNull();
});

test("what the CA says of a renewal is kept with the certificate", () => {
	const db = openDatabase(":memory:");
	keep(db, "a");
	expect(findCertificate(db, NAMES)).toMatchObject({
		windowStart: null,
		pollAt: null,
	});
	const renewal = {
		windowStart: 10,
		windowEnd: 20,
		explanationUrl: null,
		pollAt: 15,
	};
	updateRenewal(db, "a", renewal);
	expect(findCertificate(db, NAMES)).toMatchObject(renewal);
});

test("what was tried is kept, and forgotten when it is done", () => {
	const db = openDatabase(":memory:");
	const nothing = { failures: 0, rehearsed: false, nextAt: 0, failure: null };
	expect(findOrderState(db, NAMES)).toEqual(nothing);
	const state = {
		failures: 2,
		rehearsed: true,
		nextAt: 99,
		failure: {
			at: 1,
			directory: "d",
			type: "caa",
			detail: "no",
			remedy: "do",
			retryAt: null,
		},
	};
	setOrderState(db, NAMES, state);
	expect(findOrderState(db, NAMES)).toEqual(state);
	clearOrderState(db, NAMES);
	expect(findOrderState(db, NAMES)).toEqual(nothing);
});

test("one at a time may order; who died gives way", () => {
	const db = openDatabase(":memory:");
	expect(takeOrderLease(db, NAMES, "one", 100, 200)).toBe(true);
	expect(takeOrderLease(db, NAMES, "two", 150, 250)).toBe(false);
	expect(takeOrderLease(db, NAMES, "one", 150, 250)).toBe(true);
	expect(takeOrderLease(db, NAMES, "two", 250, 350)).toBe(true);
	releaseOrderLease(db, NAMES, "one");
	expect(takeOrderLease(db, NAMES, "one", 251, 351)).toBe(false);
	releaseOrderLease(db, NAMES, "two");
	expect(takeOrderLease(db, NAMES, "one", 251, 351)).toBe(true);
});

test("a failure recorded under a lease leaves the lease in place", () => {
	const db = openDatabase(":memory:");
	takeOrderLease(db, NAMES, "one", 100, 200);
	clearOrderState(db, NAMES);
	expect(takeOrderLease(db, NAMES, "two", 150, 250)).toBe(false);
});

test("there is one account for each directory", () => {
	const db = openDatabase(":memory:");
	const account = {
		directory: "https://ca.example/dir",
		url: "https://ca.example/1",
		keySealed: new Uint8Array([1]),
		createdAt: 1,
	};
	setAcmeAccount(db, account);
	setAcmeAccount(db, { ...account, url: "https://ca.example/2" });
	expect(findAcmeAccount(db, account.directory)?.url).toBe(
		"https://ca.example/2",
	);
	deleteAcmeAccount(db, account.directory);
	expect(findAcmeAccount(db, account.directory)).toBeNull();
});
