/** What a gateway costs that does nothing: `Bun.serve` and `fetch`, streams passed on. `bun pass-through.ts PORT TARGET`. */
const [port = "0", target = ""] = process.argv.slice(2);
const server = Bun.serve({
	hostname: "127.0.0.1",
	port: Number(port),
	idleTimeout: 0,
	async fetch(request) {
		const { status, headers, body } = await fetch(target, {
			method: request.method,
			headers: {
				"content-type": "application/json",
				accept: "application/json, text/event-stream",
			},
			body: await request.bytes(),
		});
		return new Response(body, {
			status,
			headers: { "content-type": headers.get("content-type") ?? "" },
		});
	},
});
console.log(`listening ${server.port}`);
