/**
 * The recovery kit: the one page of text that an owner keeps apart from the machine. It opens every backup of this
 * gateway, so it is shown while it is being saved, and on the machine itself, and nowhere else.
 */
import { encodeRecoveryCode } from "./recovery-code.ts";

/** The kit as a text file. */
export function writeRecoveryKit(facts: {
	readonly instance: string;
	readonly address: string;
	readonly kek: Uint8Array;
	readonly date: string;
}): string {
	const groups = encodeRecoveryCode(facts.kek).split("-");
	const half = groups.length / 2;
	const [first, second] = [groups.slice(0, half), groups.slice(half)].map(
		(part) => part.join("-"),
	);
	return `sallyport recovery kit
======================

Keep this page apart from the machine: on paper, or in a password manager.
Whoever has it and a backup can read everything the gateway knows.

gateway         ${facts.instance}
address         ${facts.address}
written         ${facts.date}

recovery code   ${first}
                ${second}

To bring the gateway back, on this machine or a new one:

  1. install sallyport, and stop it: systemctl stop sallyport
  2. put the code above into a file, code.txt
  3. sallyport restore FILE.backup --passphrase-file code.txt
  4. start it again: systemctl start sallyport

Or open the setup link of a new gateway in a browser, choose
"Restore from a backup", and give the backup and the code there.

A backup that was made with a passphrase opens with that, too.
`;
}
