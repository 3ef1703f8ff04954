// Which certificate the server shows to whom, as OpenSSL (through Node) sees it in both versions of TLS.

import { connect, type DetailedPeerCertificate, type SecureVersion } from "node:tls";
import t, { type Test } from "tap";
import type { SettingsPatch } from "../../../hosts/cloud/base/settings.js";
import type { Cloud } from "../../../hosts/cloud/cloud.js";
import { startRig } from "../rig.js";

const ALL_SUITES = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
const VERSIONS: readonly SecureVersion[] = ["TLSv1.2", "TLSv1.3"];

/** What a client offers beside all else: suites in TLS 1.2, signatures in TLS 1.3. */
const OFFERS = {
	both: { ciphers: ALL_SUITES, sigalgs: "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256" },
	rsa: { ciphers: "ECDHE-RSA-AES128-GCM-SHA256", sigalgs: "RSA-PSS+SHA256:RSA+SHA256" },
	ecdsa: { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256", sigalgs: "ECDSA+SHA256" },
} as const;

/** Subjects of the certificates that a client is shown and builds a path of, the server's own first. */
function path(cloud: Cloud, offers: keyof typeof OFFERS): Promise<string[]> {
	return new Promise((resolve, reject) => {
		const socket = connect({
			...{ host: cloud.host, port: cloud.port, servername: cloud.endpoint, ca: [...cloud.rootCertificates] },
			...{ maxVersion: "TLSv1.2", ...OFFERS[offers] },
		});
		socket.once("secureConnect", () => {
			const subjects: string[] = [];
			let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
			while (at) {
				subjects.push(String(at.subject.CN));
				// A root has issued itself.
				at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
			}
			socket.destroy();
			resolve(subjects);
		});
		socket.once("error", reject);
	});
}

/** The kind of key of the certificate that a client is shown and trusts, else the code of why not. */
function shown(
	cloud: Cloud,
	ca: readonly string[],
	version: SecureVersion,
	offers: keyof typeof OFFERS,
): Promise<string> {
	const { ciphers, sigalgs } = OFFERS[offers];
	return new Promise((resolve) => {
		const socket = connect({
			...{ host: cloud.host, port: cloud.port, servername: cloud.endpoint, ca: [...ca] },
			...{ minVersion: version, maxVersion: version, sigalgs },
			...(version === "TLSv1.2" && { ciphers }),
		});
		socket.once("secureConnect", () => {
			const { asymmetricKeyType } = socket.getPeerX509Certificate()!.publicKey;
			socket.destroy();
			resolve(asymmetricKeyType === "ec" ? "ecdsa" : String(asymmetricKeyType));
		});
		socket.once("error", (error: NodeJS.ErrnoException) => {
			socket.destroy();
			resolve(error.code!);
		});
	});
}

async function started(t: Test, settings: SettingsPatch = {}): Promise<Cloud> {
	const { cloud } = await startRig({ settings });
	t.teardown(() => cloud.close());
	return cloud;
}

t.test("Given both certificates, the client's offer decides, and RSA comes first, as at AWS", async (t) => {
	const cloud = await started(t);
	t.equal(cloud.rootCertificates.length, 2);
	t.equal(cloud.rootCertificates[0], cloud.rootCertificate);
	for (const version of VERSIONS) {
		t.equal(await shown(cloud, cloud.rootCertificates, version, "both"), "rsa", `${version}, offering both`);
		t.equal(await shown(cloud, cloud.rootCertificates, version, "rsa"), "rsa", `${version}, offering RSA`);
		t.equal(await shown(cloud, cloud.rootCertificates, version, "ecdsa"), "ecdsa", `${version}, offering ECDSA`);
		t.match(
			await shown(cloud, [cloud.rootCertificate], version, "ecdsa"),
			/SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/,
			`${version}: the ECDSA chain has a root of its own`,
		);
	}
});

t.test("Given one certificate only, a client that cannot take it is refused", async (t) => {
	for (const kind of ["rsa", "ecdsa"] as const) {
		const cloud = await started(t, { tls: { certificates: kind } });
		t.strictSame(cloud.rootCertificates, [cloud.rootCertificate]);
		for (const version of VERSIONS) {
			t.equal(await shown(cloud, cloud.rootCertificates, version, "both"), kind, `${version}, offering both`);
			t.equal(await shown(cloud, cloud.rootCertificates, version, kind), kind, `${version}, offering ${kind}`);
			const other = kind === "rsa" ? "ecdsa" : "rsa";
			t.match(
				await shown(cloud, cloud.rootCertificates, version, other),
				/HANDSHAKE_FAILURE|NO_SHARED/i,
				`${version}, offering ${other}`,
			);
		}
	}
});

t.test("Given a shared root, one root is enough for both", async (t) => {
	const cloud = await started(t, { tls: { ecdsaRoot: "shared" } });
	t.equal(cloud.rootCertificates.length, 1);
	t.equal(await shown(cloud, [cloud.rootCertificate], "TLSv1.2", "ecdsa"), "ecdsa");
	t.equal(await shown(cloud, [cloud.rootCertificate], "TLSv1.2", "rsa"), "rsa");
});

t.test(
	"Given intermediate authorities, the server sends their certificates, and the same root is enough",
	async (t) => {
		const cloud = await started(t, { tls: { intermediates: 2 } });
		for (const kind of ["rsa", "ecdsa"] as const) {
			const subjects = await path(cloud, kind);
			t.equal(subjects.length, 4, subjects.join(" < "));
			t.match(subjects[1], "Intermediate 2");
			t.match(subjects[2], "Intermediate 1");
			t.match(subjects[3], "Root CA");
		}
		t.same((await path(await started(t), "rsa")).length, 2, "none unless it is asked for");
	},
);
