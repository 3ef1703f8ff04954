// Types of a parser of Prometheus's text format, which has none of its own.

declare module "parse-prometheus-text-format" {
	/** A metric with its samples. Values are texts, as they stand there. */
	export interface PrometheusFamily {
		readonly name: string;
		readonly help: string;
		readonly type: "COUNTER" | "GAUGE" | "HISTOGRAM" | "SUMMARY" | "UNTYPED";
		readonly metrics: readonly { readonly value: string; readonly labels?: Readonly<Record<string, string>> }[];
	}
	export default function parsePrometheusTextFormat(text: string): PrometheusFamily[];
}
