/** Files embedded as text: `import x from "./m.sql" with { type: "text" }`. */
declare module "*.sql" {
	const text: string;
	export default text;
}
declare module "*.css" {
	const text: string;
	export default text;
}
/** A script for the browser: served as it is, never run by us. */
declare module "*.client.js" {
	const text: string;
	export default text;
}
