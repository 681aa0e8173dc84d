/** What a test opened: a file that says `afterEach(closeAll)` puts it into `opened`, in the order in which it is closed. */
type Opened = { readonly close: () => Promise<unknown> | unknown };

export const opened: Opened[] = [];

export async function closeAll(): Promise<void> {
	for (const each of opened.splice(0)) await each.close();
}
