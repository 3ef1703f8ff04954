export function secretIn(text: string): string | undefined;
