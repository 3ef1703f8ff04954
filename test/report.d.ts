export interface Totals {
	passed: number;
	failed: number;
	skipped: number;
}
export function counts(totals: Totals): string;
export class Report {
	totals: Totals;
	constructor(print: (line: string) => void);
	read(line: string): void;
	endFile(): void;
	end(files?: readonly string[]): void;
}
