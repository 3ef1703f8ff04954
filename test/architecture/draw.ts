// Draws the map of rooms.ts into docs/architecture.md, between its marks. Run as a program (`npm run docs`) it writes the
// page; the test beside it compares.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { floors, rooms } from "./rooms.js";

/** The page with the drawings in it. */
export const page = fileURLToPath(new URL("../../docs/architecture.md", import.meta.url));

const idOf = (room: string) => room.replaceAll("/", "_");

function drawRooms(): string {
	const boxes = Object.entries(rooms).map(([room, { about }]) => `    ${idOf(room)}["<b>${room}</b><br/>${about}"]`);
	const arrows = Object.entries(rooms).flatMap(([room, { imports }]) =>
		imports.map((imported) => `    ${idOf(room)} --> ${idOf(imported)}`),
	);
	return ["```mermaid", "flowchart TD", ...boxes, ...arrows, "```"].join("\n");
}

function drawFloors(): string {
	const rows = Object.entries(floors).flatMap(([room, list]) =>
		list.map(([folder, about]) => `| \`${room}/${folder && `${folder}/`}\` | ${about} |`),
	);
	return ["| folder | what it is for |", "|---|---|", ...rows].join("\n");
}

/** What the page must say, given what it says now. */
export function drawn(text: string): string {
	const drawings = { rooms: drawRooms(), floors: drawFloors() };
	return Object.entries(drawings).reduce(
		(so, [name, drawing]) =>
			so.replace(
				new RegExp(`(<!-- ${name}: [^>]*-->\n)[^]*?(<!-- /${name} -->)`),
				(_, begin, end) => `${begin}${drawing}\n${end}`,
			),
		text,
	);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, drawn(readFileSync(page, "utf8")));
