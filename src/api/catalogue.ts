/** `/api/catalogue`: the servers that can be added by their id, and what each of them asks for. */
import { listCatalogue } from "../packages/catalogue.ts";
import type { Route } from "./route.ts";

/** The route of the catalogue. */
export const catalogueRoutes: readonly Route[] = [
	{
		method: "GET",
		path: "/api/catalogue",
		who: "anyone",
		run: () => ({ body: { catalogue: listCatalogue() } }),
	},
];
