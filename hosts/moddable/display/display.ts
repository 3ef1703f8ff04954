// Shows on a screen what the device is doing, its thing name, and its last failure with a simulated LED that blinks the
// number. Learns everything from `onEvent`. Optional: an app gets it by including the manifest.json beside this file. Lets
// no exception escape from a timer.

import Resource from "Resource";
import Poco, { type Font, type PocoPrototype } from "commodetto/Poco";
import parseBMF from "commodetto/parseBMF";
import Timer from "timer";
import type { DeviceEvent } from "../../../src/contract/events.js";
import { Blinker } from "./blinker.js";
import { AT_FIRST, follow, type Mood, type Status } from "./status.js";

/** Pixels. */
const MARGIN = 12;
const LED = 22;
/** On screens narrower than this, only small letters are used. */
const WIDE = 200;

/** Shows a device's status on the global `screen`, whatever its size. */
export class Display {
	readonly #poco: PocoPrototype = new Poco(screen, { displayListLength: 4096 });
	readonly #small: Font = parseBMF(new Resource("OpenSans-Semibold-18.bf4"));
	readonly #large: Font = this.#poco.width < WIDE ? this.#small : parseBMF(new Resource("OpenSans-Semibold-28.bf4"));
	readonly #colors: Readonly<Record<Mood | "paper" | "ink" | "label" | "white" | "off" | "on", number>>;
	readonly #blinker: Blinker;
	readonly #hint: string;
	#status: Status = AT_FIRST;
	/** Seconds until the next attempt. */
	#seconds = 0;
	#countdown: ReturnType<typeof Timer.repeat> | undefined;
	#lit = false;
	/** Where the LED was drawn last. */
	#led: { readonly x: number; readonly y: number } | undefined;

	/**
	 * @param hint a line at the bottom, for example what a button does
	 * @param write also switches a real LED
	 */
	constructor({ hint = "", write }: { readonly hint?: string; write?(on: boolean): void } = {}) {
		const color = (red: number, green: number, blue: number) => this.#poco.makeColor(red, green, blue);
		this.#colors = {
			working: color(0x1f, 0x5f, 0xa8),
			well: color(0x1e, 0x7d, 0x46),
			failing: color(0xb3, 0x3a, 0x26),
			paper: color(0xf6, 0xf6, 0xf2),
			ink: color(0x20, 0x24, 0x28),
			label: color(0x74, 0x78, 0x7c),
			white: color(255, 255, 255),
			off: color(0xd8, 0xd8, 0xd2),
			on: color(0xff, 0xb0, 0x00),
		};
		this.#hint = hint;
		this.#blinker = new Blinker((on) => {
			this.#lit = on;
			write?.(on);
			this.#drawLed();
		});
		this.#draw();
	}

	/** Call this with each event: `start(application, { onEvent: (event) => display.show(event) })`. */
	show(event: DeviceEvent): void {
		this.#change(follow(this.#status, event));
	}

	/** Shows a text of the app's own, for example after the device program has ended. */
	say(text: string): void {
		this.#change({ ...this.#status, mood: "working", text });
	}

	#change(status: Status): void {
		if (status === this.#status) return;
		this.#status = status;
		Timer.clear(this.#countdown);
		this.#countdown = undefined;
		this.#seconds = Math.ceil((status.pause ?? 0) / 1_000);
		if (this.#seconds > 0)
			this.#countdown = Timer.repeat(() => {
				this.#seconds -= 1;
				if (this.#seconds > 0) this.#draw();
			}, 1_000);
		this.#draw();
		if (status.mood === "failing" && status.failure) this.#blinker.blink(status.failure.number);
		else this.#blinker.steady(status.mood === "well");
	}

	#draw(): void {
		const { width, height } = this.#poco;
		const { mood, text } = this.#status;
		const { paper, white, [mood]: color } = this.#colors;
		try {
			this.#poco.begin();
			this.#poco.fillRectangle(paper, 0, 0, width, height);
			const head = 2 * MARGIN + 2 * this.#large.height;
			this.#poco.fillRectangle(color, 0, 0, width, head);
			const below = this.#paragraph(this.#lines(text, this.#large).slice(0, 2), this.#large, white, MARGIN);
			if (this.#seconds > 0) this.#paragraph([`tries again in ${this.#seconds} s`], this.#small, white, below);
			this.#led = undefined;
			let y = head + MARGIN;
			// If there is no room for both, the failure is shown first while it matters.
			if (this.#narrow && mood === "failing") y = this.#drawThing(this.#drawFailure(y));
			else y = this.#drawFailure(this.#drawThing(y));
			this.#drawFoot(y);
			this.#fillLed();
			this.#poco.end();
		} catch (error) {
			trace(`display: ${(error as Error).message}\n`);
		}
	}

	/** Whether the screen is too narrow for labels and the footer. */
	get #narrow(): boolean {
		return this.#poco.width < WIDE;
	}

	#drawThing(top: number): number {
		const { thingName } = this.#status;
		if (thingName === undefined) return top;
		const y = this.#drawLabel("thing", top);
		return this.#paragraph(this.#lines(thingName, this.#small), this.#small, this.#colors.ink, y) + MARGIN;
	}

	#drawFailure(top: number): number {
		const { failure, mood } = this.#status;
		if (!failure || top + this.#large.height > this.#poco.height) return top;
		const y = this.#drawLabel(mood === "failing" ? "failure" : "last failure", top);
		this.#led = { x: MARGIN, y: y + ((this.#large.height - LED) >> 1) };
		const { ink } = this.#colors;
		this.#poco.drawText(String(failure.number), this.#large, ink, 2 * MARGIN + LED, y);
		return this.#paragraph(this.#lines(failure.code, this.#small), this.#small, ink, y + this.#large.height);
	}

	#drawLabel(text: string, y: number): number {
		return this.#paragraph(this.#narrow ? [] : [text], this.#small, this.#colors.label, y);
	}

	/** Draws the hint and the firmware version at the bottom, if there is room below `least`. */
	#drawFoot(least: number): void {
		const { firmwareVersion } = this.#status;
		const lines = [this.#hint, firmwareVersion === undefined ? "" : `firmware ${firmwareVersion}`].filter(Boolean);
		const y = this.#poco.height - lines.length * this.#small.height - (MARGIN >> 1);
		if (y >= least && !this.#narrow) this.#paragraph(lines, this.#small, this.#colors.label, y);
	}

	/** Draws the lines that fit. Returns the y coordinate of the next line. */
	#paragraph(lines: readonly string[], font: Font, color: number, top: number): number {
		let y = top;
		for (const line of lines) {
			if (y + font.height <= this.#poco.height) this.#poco.drawText(line, font, color, MARGIN, y);
			y += font.height;
		}
		return y;
	}

	/** Breaks a text into lines between words, and within words that are too long for a line. */
	#lines(text: string, font: Font): string[] {
		const width = this.#poco.width - 2 * MARGIN;
		const fits = (line: string) => this.#poco.getTextWidth(line, font) <= width;
		const lines: string[] = [];
		let line = "";
		for (const word of text.split(" ")) {
			const longer = line === "" ? word : `${line} ${word}`;
			if (fits(longer)) {
				line = longer;
				continue;
			}
			if (line !== "") lines.push(line);
			line = word;
			while (line.length > 1 && !fits(line)) {
				let length = line.length - 1;
				while (length > 1 && !fits(line.slice(0, length))) length -= 1;
				// Codes of failures are broken where their words end.
				length = line.lastIndexOf("_", length - 1) + 1 || length;
				lines.push(line.slice(0, length));
				line = line.slice(length);
			}
		}
		return [...lines, line];
	}

	#drawLed(): void {
		if (this.#led === undefined) return;
		try {
			this.#poco.begin(this.#led.x, this.#led.y, LED, LED);
			this.#fillLed();
			this.#poco.end();
		} catch (error) {
			trace(`display: ${(error as Error).message}\n`);
		}
	}

	/** Draws the LED as a square with cut-off corners. It is green when all is well. */
	#fillLed(): void {
		if (this.#led === undefined) return;
		const { x, y } = this.#led;
		const { paper, on, off, well } = this.#colors;
		const color = !this.#lit ? off : this.#status.mood === "well" ? well : on;
		this.#poco.fillRectangle(paper, x, y, LED, LED);
		this.#poco.fillRectangle(color, x + 4, y, LED - 8, LED);
		this.#poco.fillRectangle(color, x + 2, y + 2, LED - 4, LED - 4);
		this.#poco.fillRectangle(color, x, y + 4, LED, LED - 8);
	}
}
