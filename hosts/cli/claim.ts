// `fleet claim embed`: puts the claim and the root certificates into the firmware's resources. claim-embed.ts does the work.

import { embedClaim } from "./claim-embed.js";
import { command } from "./command.js";
import { askPassword } from "./password.js";

export const claimEmbed = command({
	options: {
		root: {
			type: "string",
			value: "FILE",
			required: true,
			multiple: true,
			help: "a root certificate that the endpoint's chain may end in (Amazon Root CA 1, and 3): PEM or DER",
		},
		certificate: { type: "string", value: "FILE", help: "the claim certificate: PEM, DER, or PKCS#12 with its key" },
		key: { type: "string", value: "FILE", help: "its private key, RSA or EC: PEM or DER; not needed with PKCS#12" },
		json: { type: "boolean", help: "print one JSON object that says what was embedded" },
		folder: {
			type: "string",
			value: "FOLDER",
			help: "where to put them (default: where the firmware's manifest looks)",
		},
	},
	details: `Checks that a device can use the key and that it is the certificate's, that the root is one, and that both are valid
today, before anything is written. A password is taken from IDENTITY_PASSWORD or asked for, never from an argument. Without
--certificate only the roots are embedded, for devices that a trusted user hands a claim.`,
	async run({ root, certificate, key, folder, json }) {
		const embedded = await embedClaim({
			roots: root,
			certificate,
			key,
			...(folder === undefined ? {} : { folder }),
			password: () => askPassword(`Password of ${key ?? certificate}`),
		});
		if (json) {
			console.log(JSON.stringify(embedded, undefined, "\t"));
			return 0;
		}
		const { claim } = embedded;
		for (const subject of embedded.roots) console.log(`root certificate   ${subject}`);
		if (claim === undefined) console.log("no claim: devices wait until they are given one");
		else console.log(`claim certificate  ${claim.subject}, valid until ${claim.validTo.toISOString().slice(0, 10)}`);
		console.log(`in ${embedded.folder}: build the firmware again, and keep that folder secret`);
		return 0;
	},
});
