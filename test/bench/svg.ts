// Plots as SVG text: lines over an axis, and bars with whiskers in groups. Readable on light and dark pages; no script, no
// font but the reader's own.

const WIDTH = 760;
const HEIGHT = 340;
const MARGIN = { top: 54, right: 24, bottom: 48, left: 76 };
const KEY_ROW = 18;
const INNER = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
/** Okabe and Ito's colours, which the colour-blind can tell apart; mid-tones that show on white and on black. */
export const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"] as const;

const escapeText = (text: string): string =>
	text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!);
const at = (number: number): string => String(Math.round(number * 10) / 10);

/** Round numbers from 0 to at least `most`, about five. */
function ticks(most: number): number[] {
	const rough = (most || 1) / 5;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough)!;
	return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

interface Frame {
	readonly title: string;
	readonly yLabel: string;
	readonly series: readonly string[];
	readonly yTicks: readonly number[];
}

/** Title, key, horizontal lines, and what is drawn between them. */
function frame({ title, yLabel, series, yTicks }: Frame, content: string[]): string {
	const y = scale(yTicks.at(-1)!, INNER.height);
	let x = MARGIN.left;
	let row = 0;
	const key = series.map((name, i) => {
		const width = 30 + name.length * 6.6;
		if (x + width > WIDTH && x > MARGIN.left) {
			x = MARGIN.left;
			row += 1;
		}
		const entry = `<rect x="${at(x)}" y="${32 + row * KEY_ROW}" width="10" height="10" fill="${colours[i]}"/><text x="${at(x + 15)}" y="${41 + row * KEY_ROW}">${escapeText(name)}</text>`;
		x += width;
		return entry;
	});
	// A key of more than one row moves everything below it.
	const more = row * KEY_ROW;
	const grid = yTicks.map((value) => {
		const height = at(MARGIN.top + INNER.height - y(value));
		return `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${height}" y2="${height}" stroke="#888" stroke-opacity="0.35"/><text x="${MARGIN.left - 8}" y="${height}" dy="4" text-anchor="end">${value.toLocaleString("en")}</text>`;
	});
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT + more}" width="${WIDTH}" height="${HEIGHT + more}" font-family="sans-serif" font-size="12" fill="#777">
<title>${escapeText(title)}</title>
<text x="${MARGIN.left}" y="20" font-size="14" font-weight="bold">${escapeText(title)}</text>
${key.join("\n")}
<g transform="translate(0 ${more})">
<text transform="translate(14 ${MARGIN.top + INNER.height / 2}) rotate(-90)" text-anchor="middle">${escapeText(yLabel)}</text>
${grid.join("\n")}
${content.join("\n")}
</g>
</svg>
`;
}

const scale =
	(most: number, length: number) =>
	(value: number): number =>
		(value / (most || 1)) * length;

/** A line for each series through its points. */
export function lineChart(chart: {
	readonly title: string;
	readonly xLabel: string;
	readonly yLabel: string;
	readonly series: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[];
}): string {
	const points = chart.series.flatMap((series) => series.points);
	const xTicks = ticks(Math.max(...points.map(([x]) => x)));
	const yTicks = ticks(Math.max(...points.map(([, y]) => y)));
	const x = scale(xTicks.at(-1)!, INNER.width);
	const y = scale(yTicks.at(-1)!, INNER.height);
	const bottom = MARGIN.top + INNER.height;
	const content = [
		...xTicks.map(
			(value) =>
				`<text x="${at(MARGIN.left + x(value))}" y="${bottom + 18}" text-anchor="middle">${value.toLocaleString("en")}</text>`,
		),
		`<text x="${MARGIN.left + INNER.width / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escapeText(chart.xLabel)}</text>`,
		...chart.series.map(({ points }, i) => {
			const path = points.map(([px, py]) => `${at(MARGIN.left + x(px))},${at(bottom - y(py))}`).join(" ");
			return `<polyline fill="none" stroke="${colours[i]}" stroke-width="2" stroke-linejoin="round" points="${path}"/>`;
		}),
	];
	return frame(
		{ title: chart.title, yLabel: chart.yLabel, series: chart.series.map(({ name }) => name), yTicks },
		content,
	);
}

/** A number with the range it came from. */
export interface Bar {
	readonly value: number;
	readonly low?: number;
	readonly high?: number;
}

/** Bars side by side in groups, one for each series; whiskers from `low` to `high`. */
export function barChart(chart: {
	readonly title: string;
	readonly yLabel: string;
	readonly series: readonly string[];
	readonly groups: readonly { readonly name: string; readonly bars: readonly Bar[] }[];
}): string {
	const yTicks = ticks(Math.max(...chart.groups.flatMap(({ bars }) => bars.map(({ value, high = value }) => high))));
	const y = scale(yTicks.at(-1)!, INNER.height);
	const bottom = MARGIN.top + INNER.height;
	const groupWidth = INNER.width / chart.groups.length;
	const barWidth = Math.min(44, (groupWidth * 0.8) / chart.series.length);
	const content = chart.groups.flatMap(({ name, bars }, group) => {
		const middle = MARGIN.left + groupWidth * (group + 0.5);
		const start = middle - (barWidth * bars.length) / 2;
		return [
			`<text x="${at(middle)}" y="${bottom + 18}" text-anchor="middle">${escapeText(name)}</text>`,
			...bars.map(({ value, low, high }, i) => {
				const left = start + i * barWidth;
				const centre = at(left + barWidth / 2);
				const label = (y: number, of: number, colour: string): string =>
					`<text x="${centre}" y="${at(y)}" text-anchor="middle" font-size="10" fill="${colour}">${Math.round(of).toLocaleString("en")}</text>`;
				const top = bottom - y(value);
				const isRange = low !== undefined && high !== undefined;
				const whisker = isRange
					? `<path d="M${centre} ${at(bottom - y(low))}V${at(bottom - y(high))}" stroke="#777" stroke-width="1.5"/>`
					: "";
				// Above a long whisker stands the whisker's value; the bar's own stands in the bar then.
				const isLong = isRange && y(high) - y(value) > 6;
				const own = isLong
					? label(top + 12, value, "#fff")
					: label((isRange ? bottom - y(high) : top) - 4, value, "#777");
				const most = isLong ? label(bottom - y(high) - 4, high, "#777") : "";
				return `<rect x="${at(left + 1)}" y="${at(top)}" width="${at(barWidth - 2)}" height="${at(y(value))}" fill="${colours[i]}"/>${whisker}${own}${most}`;
			}),
		];
	});
	return frame({ title: chart.title, yLabel: chart.yLabel, series: chart.series, yTicks }, content);
}
