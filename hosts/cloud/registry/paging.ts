// Returns listings page by page. The token for a next page must be one that this process has given out.

import { createHmac, randomBytes } from "node:crypto";
import { demand, limits } from "./limits.js";

/** Which page of a listing, in the newer operations; the older ones have `marker` and `pageSize`. */
export interface Paging {
	/** From the answer with the previous page. Absent for the first page. */
	nextToken?: string;
	/** 1 to 250. */
	maxResults?: number;
}

/** One page of a listing: at most `size` items in the order of `key`, beginning after the one that `token` names. */
export function page<T>(
	items: readonly T[],
	key: (item: T) => string,
	size: unknown,
	token: unknown,
	ascending = true,
): { items: T[]; next?: string } {
	const most = size === undefined ? limits.defaultPageSize : Number(size);
	demand(
		Number.isInteger(most) && most >= 1 && most <= limits.pageSize,
		`The page size must be a number from 1 to ${limits.pageSize}`,
	);
	const direction = ascending ? 1 : -1;
	const compare = (a: string, b: string) => (a < b ? -direction : a > b ? direction : 0);
	let sorted = items.map((item) => ({ item, key: key(item) })).sort((a, b) => compare(a.key, b.key));
	if (token !== undefined) {
		const last = lastOfPage(token);
		sorted = sorted.filter((entry) => compare(entry.key, last) > 0);
	}
	const shown = sorted.slice(0, most);
	return {
		items: shown.map(({ item }) => item),
		...(sorted.length > most && { next: pageToken(shown.at(-1)!.key) }),
	};
}

/** Signs tokens for the next page, so that made-up ones are refused. In base64, as the API demands of markers. */
const PAGE_SECRET = randomBytes(32);
const prove = (key: string) => createHmac("sha256", PAGE_SECRET).update(key).digest("base64").slice(0, 22);

function pageToken(key: string): string {
	return `${prove(key)}${Buffer.from(key).toString("base64")}`;
}

/** The key that a token names. @throws AwsError InvalidRequestException for a token that was not given here */
function lastOfPage(token: unknown): string {
	const key = typeof token === "string" ? Buffer.from(token.slice(22), "base64").toString() : "";
	demand(token === pageToken(key), "The token for the next page is not valid");
	return key;
}
