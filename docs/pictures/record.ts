// Records `fleet demo` as an SVG that plays by itself: each line appears when it was printed. Run by `npm run docs`.
// The picture holds nothing but what the command prints, which is never a secret.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const COLUMNS = 106;
const LINE = 18;
const CHARACTER = 7.83;
/** ms that the finished picture stands still before it begins again, and how much slower than life it plays. */
const REST = 6_000;
const SLOWER = 2;

interface Line {
	readonly text: string;
	/** ms since the command was started. */
	readonly at: number;
}

function record(): Promise<Line[]> {
	const fleet = fileURLToPath(new URL("../../hosts/cli/fleet.js", import.meta.url));
	const env = { ...process.env, NO_COLOR: "1", COLUMNS: String(COLUMNS) };
	const child = spawn(process.execPath, [fleet, "demo"], { env, stdio: ["ignore", "pipe", "inherit"] });
	const started = performance.now();
	const lines: Line[] = [];
	createInterface(child.stdout).on("line", (text) => lines.push({ text, at: performance.now() - started }));
	return new Promise((resolve, reject) =>
		child.on("close", (code) => (code === 0 ? resolve(lines) : reject(new Error(`fleet demo ended with ${code}`)))),
	);
}

const escapeText = (text: string): string =>
	text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!);

/** Colours by who speaks, on the dark ground of a terminal. */
const colourOf = (text: string): string =>
	/^\s*[\d,.]+ ms\s+cloud\b/.test(text) ? "#8bd5ca" : /^\s*[\d,.]+ ms\s/.test(text) ? "#e0e2ea" : "#a6adc8";

function draw(lines: readonly Line[]): string {
	const first = lines[0]?.at ?? 0;
	const width = Math.round(COLUMNS * CHARACTER) + 40;
	const height = (lines.length + 2) * LINE + 44;
	const total = ((lines.at(-1)?.at ?? 0) - first) * SLOWER + REST;
	const rows = [{ text: "$ npm start", at: first }, ...lines].map(({ text, at }, row) => {
		const share = ((((at - first) * SLOWER) / total) * 100).toFixed(2);
		const y = 52 + row * LINE;
		// Without animation, every line is simply there.
		return {
			rule: `@keyframes l${row}{0%{opacity:0}${share}%{opacity:0}${share}1%{opacity:1}100%{opacity:1}}.l${row}{animation:l${row} ${total / 1000}s linear infinite}`,
			line: `<text class="l${row}" x="20" y="${y}" fill="${row === 0 ? "#f5e0dc" : colourOf(text)}" xml:space="preserve">${escapeText(text)}</text>`,
		};
	});
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13">
<title>A recording of npm start: a simulated ESP32 provisions itself</title>
<style>@media (prefers-reduced-motion: no-preference){${rows
		.slice(1)
		.map(({ rule }) => rule)
		.join("")}}</style>
<rect width="${width}" height="${height}" rx="8" fill="#1e1e2e"/>
<circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>
${rows.map(({ line }) => line).join("\n")}
</svg>
`;
}

writeFileSync(new URL("demo.svg", import.meta.url), draw(await record()));
