// What a device maker decides: where to go, which template, what to send. Checked once at power-on.

/** Settings of the device program. Only `endpoint` and `template` have no default. */
export interface Configuration {
	/** Host name of the account's data endpoint: `aws iot describe-endpoint --endpoint-type iot:Data-ATS`. */
	readonly endpoint: string;
	/** 8883 (default), or 443, where ALPN `x-amzn-mqtt-ca` is sent. Any other port is taken too (a local cloud). */
	readonly port?: number;
	/** SNI and certificate name when they differ from `endpoint` (a local cloud reached by address). */
	readonly serverName?: string;
	/** Name of the provisioning template: 1 to 36 of `[0-9A-Za-z_-]`. */
	readonly template: string;
	/** Parameters of the template beside `SerialNumber`, which is always sent. Text to text. */
	readonly parameters?: Readonly<Record<string, string>>;
	/** Encoding of requests and replies. Default `cbor`. */
	readonly format?: "cbor" | "json";
	/** `keys` (default): the service makes the key pair. `csr`: the machine does, and the key never travels. */
	readonly keyPair?: "keys" | "csr";
	/** What becomes of the claim once an identity is proved. Default `keep`. */
	readonly claimAfterwards?: "keep" | "erase";
	/** MQTT keep-alive in seconds, 30 to 1200 (AWS's limits). Default 300. */
	readonly keepAlive?: number;
	/** The first connection after power-on waits a random time up to this, in ms, so that a fleet spreads out. Default 0. */
	readonly startSpread?: number;
}
