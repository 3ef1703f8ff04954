// The files of the web page, served as they are: no build step, nothing from the internet. Knows nothing of the cloud, and holds
// nothing secret, so whoever reaches the port may have them.

import { existsSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";

// `npm run build` copies the page beside the compiled module.
const folder = new URL("page/", import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
	html: "text/html; charset=utf-8",
	css: "text/css; charset=utf-8",
	js: "text/javascript; charset=utf-8",
	svg: "image/svg+xml",
};

/**
 * What the page may do: run its own modules, use its own style, and talk to where it came from. Text never becomes markup, since
 * even its own scripts may not turn text into HTML (Trusted Types). No other page may frame it.
 */
const CONTENT_SECURITY_POLICY = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self'",
	"connect-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"require-trusted-types-for 'script'",
	"trusted-types 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
	"Content-Security-Policy": CONTENT_SECURITY_POLICY,
	"X-Content-Type-Options": "nosniff",
	"Referrer-Policy": "no-referrer",
	"Cross-Origin-Opener-Policy": "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control": "no-cache",
};

/** The path of the page itself; its other files are below `/_console/`. */
const FILE = /^\/(?:_console\/([a-z-]{1,32}\.(?:css|js|svg)))?$/;

/** Files by name, as they were read first. */
const read = new Map<string, Buffer>();

/** Whether a request is for the page or one of its files. */
export function isPagePath(method: string, target: string): boolean {
	const [path = ""] = target.split("?");
	return (method === "GET" || method === "HEAD") && FILE.test(path) && fileOf(path) !== undefined;
}

/** Sends the page or one of its files, for which `isPagePath` was true. */
export function sendPage(method: string, target: string, response: ServerResponse): void {
	const [path = ""] = target.split("?");
	const { name, content } = fileOf(path)!;
	response.writeHead(200, {
		...HEADERS,
		"Content-Type": TYPES[name.slice(name.lastIndexOf(".") + 1)]!,
		"Content-Length": content.length,
	});
	response.end(method === "HEAD" ? undefined : content);
}

function fileOf(path: string): { readonly name: string; readonly content: Buffer } | undefined {
	const name = FILE.exec(path)?.[1] ?? "index.html";
	const kept = read.get(name);
	if (kept) return { name, content: kept };
	const file = new URL(name, folder);
	if (!existsSync(file)) return undefined;
	const content = readFileSync(file);
	read.set(name, content);
	return { name, content };
}
