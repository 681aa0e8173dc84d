// Two comforts. What is marked "live" is fetched again every few seconds and put in place when it changed; without
// scripts the page says to open it again. What is marked "copy" gets a button.
const PAUSE_MS = 2000;
const PAUSES_MAX = 900;

async function refresh(live) {
	const answer = await fetch(location.href, {
		headers: { Accept: "text/html" },
	});
	if (!answer.ok) return;
	const text = await answer.text();
	const page = new DOMParser().parseFromString(text, "text/html");
	const fresh = page.getElementById(live.id);
	if (!fresh || fresh.isEqualNode(live)) return;
	live.replaceWith(fresh);
}

let pauses = 0;
const timer = setInterval(() => {
	const live = document.querySelector("[data-live]");
	if (!live || ++pauses > PAUSES_MAX) return clearInterval(timer);
	if (document.hidden) return;
	// The next pause is the next try.
	refresh(live).catch(() => {});
}, PAUSE_MS);

for (const code of document.querySelectorAll("code.copy")) {
	if (!navigator.clipboard) break;
	const button = document.createElement("button");
	button.type = "button";
	button.className = "plain";
	button.textContent = "Copy";
	button.addEventListener("click", async () => {
		await navigator.clipboard.writeText(code.textContent);
		button.textContent = "Copied";
	});
	code.after(" ", button);
}
