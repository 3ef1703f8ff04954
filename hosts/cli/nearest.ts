// "Did you mean …": suggests the word that was probably meant when a word is unknown.

/** `; did you mean X?` when one of `words` is close to `given`, otherwise an empty text. `before` is put before the suggestion. */
export function didYouMean(given: string, words: readonly string[], before = ""): string {
	const [best] = words
		.map((word) => ({ word, far: distance(given, word) }))
		.filter(({ word, far }) => far <= Math.max(1, Math.floor(word.length / 3)) || continues(word, given))
		.sort((a, b) => a.far - b.far);
	return best === undefined ? "" : `; did you mean ${before}${best.word}?`;
}

const continues = (word: string, start: string): boolean => start.length >= 3 && word.startsWith(start);

/** How many letters must be inserted, deleted, replaced, or swapped with their neighbour (Damerau-Levenshtein distance). */
function distance(a: string, b: string): number {
	let last: number[] = [];
	let row = Array.from({ length: b.length + 1 }, (_, j) => j);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const same = a[i - 1] === b[j - 1];
			next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
			if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
				next[j] = Math.min(next[j]!, last[j - 2]! + 1);
		}
		last = row;
		row = next;
	}
	return row[b.length]!;
}
