/**
 * `npm run pages`: every page with canned data at http://localhost:8090, for the eye. With `--shots DIR` each is drawn
 * in Chromium instead: light, dark, and as wide as a phone. Screenshots stay out of the repository.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ASSETS } from "../src/web/assets.tsx";
import { CANNED } from "./canned-pages.ts";
import { install } from "./install.ts";

const PORT = 8090;
const LOOKS = [
	{ name: "light", width: 1000, colorScheme: "light" },
	{ name: "dark", width: 1000, colorScheme: "dark" },
	{ name: "phone", width: 360, colorScheme: "light" },
] as const;

install();
const [flag, folder, only = ""] = process.argv.slice(2);
const assets = new Map(
	Object.values(ASSETS).map((asset) => [asset.path, asset]),
);
const server: Bun.Server<undefined> = Bun.serve({
	hostname: "localhost",
	port: flag === "--shots" ? 0 : PORT,
	fetch: (request): Response => {
		const { pathname } = new URL(request.url);
		const asset = assets.get(pathname);
		if (asset)
			return new Response(asset.text, {
				headers: { "Content-Type": asset.type },
			});
		const page = CANNED[pathname.slice(1)];
		if (page) return page();
		const links = Object.keys(CANNED).map((name) => `- ${server.url}${name}`);
		return new Response(`${links.join("\n")}\n`);
	},
});

if (flag === "--shots" && folder !== undefined) {
	const { chromium } = await import("playwright-core");
	mkdirSync(folder, { recursive: true });
	const browser = await chromium.launch({
		executablePath: Bun.which("chromium") ?? "",
		args: ["--no-sandbox"],
	});
	for (const { name, width, colorScheme } of LOOKS) {
		const context = await browser.newContext({
			viewport: { width, height: 800 },
			colorScheme,
		});
		const page = await context.newPage();
		for (const canned of Object.keys(CANNED)) {
			if (!canned.includes(only)) continue;
			await page.goto(`${server.url}${canned}`);
			await page.screenshot({
				path: join(folder, `${canned}.${name}.png`),
				fullPage: true,
			});
		}
		await context.close();
	}
	await browser.close();
	await server.stop(true);
	process.exit(0);
}
console.log(`every page with canned data: ${server.url}`);
