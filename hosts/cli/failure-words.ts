// What each failure means and what to do about it, in words for people. Only the host tools have them: a device reports codes and
// numbers, and its flash holds no sentences. The compiler makes sure that every failure has words.

import type { FailureCode } from "../../src/base/failure.js";

/** The words for one failure: they continue "It means that …" and "Do this: …". */
export interface FailureWords {
	readonly meaning: string;
	readonly advice: string;
}

/** Words by code. */
export const failureWords: Readonly<Record<FailureCode, FailureWords>> = {
	CONFIGURATION_INVALID: {
		meaning: "a setting in the configuration is not valid",
		advice: "correct the setting that is named, and build the firmware again",
	},
	CLAIM_MISSING: {
		meaning: "the device has neither an identity nor a claim with which to ask for one",
		advice: "embed a claim (fleet claim embed), or let a trusted user give the device one",
	},
	KEY_PAIR_UNSUPPORTED: {
		meaning: "keyPair is csr, but this machine cannot make a key pair, or its TLS cannot sign with one",
		advice: "set keyPair to keys",
	},
	CLAIM_NOT_ERASED: {
		meaning: "the claim could not be erased",
		advice: "set claimAfterwards to keep if this device cannot erase its claim",
	},
	INTERNAL: {
		meaning: "the device program itself failed",
		advice: "report this as a defect, with the message",
	},
	CLOCK_UNSET: {
		meaning: "no time server answered, so certificates cannot be checked",
		advice: "let the device reach a time server (NTP, UDP port 123)",
	},
	CLOCK_BEHIND: {
		meaning: "the clock was set to a time before this firmware was built",
		advice: "correct the time server that the device asks",
	},
	NETWORK_DOWN: {
		meaning: "the device has joined no network: no access point of that name is in range, or it assigned no address",
		advice: "check the name of the Wi-Fi, its range, and that its DHCP server has a free address",
	},
	NETWORK_REFUSED: {
		meaning: "the access point does not let the device in",
		advice: "check the password of the Wi-Fi, and that the access point offers WPA2 or WPA3",
	},
	HOST_UNKNOWN: {
		meaning: "the endpoint's name has no address",
		advice: "check the endpoint's name and the network's DNS",
	},
	HOST_UNREACHABLE: {
		meaning: "nobody answers at the endpoint",
		advice: "check the network, the firewall and the port (8883 or 443)",
	},
	CONNECT_TIMEOUT: {
		meaning: "no connection was accepted within the time limit",
		advice: "check the network; some firewalls silently drop port 8883, so try 443",
	},
	TLS_FAILED: {
		meaning: "the TLS handshake failed",
		advice: "check that the endpoint is the one with -ats, and that the root certificate and the clock are right",
	},
	SERVER_DATES: {
		meaning: "the server's certificate is not valid at this device's time",
		advice: "compare the device's clock with the certificate's dates",
	},
	SERVER_UNTRUSTED: {
		meaning: "the server's certificate is for another name, or its chain ends in no root that the device trusts",
		advice: "embed Amazon Root CA 1 (and 3), and use the endpoint with -ats",
	},
	CLAIM_REFUSED: {
		meaning: "the service refused the connection with the claim",
		advice: "check that the claim certificate is ACTIVE and that its policy allows iot:Connect on client/<client id>",
	},
	CONNACK_REFUSED: {
		meaning: "the service says that it is unavailable",
		advice: "nothing, as long as it is rare",
	},
	CONNECTION_LOST: {
		meaning: "the connection was closed",
		advice: "nothing, as long as it is rare",
	},
	SUBSCRIBE_REFUSED: {
		meaning: "the service does not allow the subscription to a reply topic",
		advice: "allow iot:Subscribe on topicfilter/… for the reply topics (topicfilter, not topic)",
	},
	SUBSCRIBE_TIMEOUT: {
		meaning: "no SUBACK arrived within the time limit",
		advice: "check the network",
	},
	SUBSCRIBE_HUNG_UP: {
		meaning: "the service closed the connection when the device subscribed",
		advice: "if it keeps happening, allow iot:Subscribe on topicfilter/… for the reply topics (topicfilter, not topic)",
	},
	UNSUBSCRIBE_TIMEOUT: {
		meaning: "no UNSUBACK arrived within the time limit",
		advice: "check the network",
	},
	PROTOCOL_ERROR: {
		meaning: "the other side sent something that is not MQTT 3.1.1",
		advice: "check that there is an MQTT broker at this endpoint and port",
	},
	PACKET_TOO_LARGE: {
		meaning: "a packet is larger than this device accepts",
		advice: "send smaller messages to the device",
	},
	KEEP_ALIVE_TIMEOUT: {
		meaning: "the service did not answer a PINGREQ",
		advice: "check the network",
	},
	SEND_QUEUE_FULL: {
		meaning: "more messages wait to be sent than this device can hold",
		advice: "publish less, or wait until each message has been acknowledged",
	},
	PUBLISH_TIMEOUT: {
		meaning: "no PUBACK arrived within the time limit",
		advice: "check the network",
	},
	CREATE_TIMEOUT: {
		meaning: "no reply to the request for a certificate arrived",
		advice: "check that the claim policy allows iot:Receive on the reply topics",
	},
	CREATE_HUNG_UP: {
		meaning: "the connection ended while the device asked for a certificate",
		advice:
			"if it keeps happening, allow iot:Publish on topic/$aws/certificates/create… (for a CSR create-from-csr); once with pipeline=connect, the service may not take packets ahead of CONNACK, and the device goes on without it",
	},
	CREATE_INVALID: {
		meaning: "the service says that the request for a certificate is not valid",
		advice: "read errorCode and errorMessage",
	},
	CREATE_DENIED: {
		meaning: "the service denied the device a certificate",
		advice: "read errorMessage; a claim from a trusted user is valid for five minutes",
	},
	CREATE_THROTTLED: {
		meaning: "too many devices ask for a certificate at once",
		advice: "nothing; for a large fleet, ask AWS for a higher quota",
	},
	CREATE_FAULT: {
		meaning: "the service itself failed",
		advice: "nothing, as long as it is rare",
	},
	CREATE_REPLY_MALFORMED: {
		meaning: "the device does not understand the reply to its request for a certificate",
		advice: "report this as a defect, with the reason",
	},
	CERTIFICATE_MALFORMED: {
		meaning: "the certificate or the key in the reply cannot be read",
		advice: "report this as a defect, with the reason",
	},
	KEY_MISMATCH: {
		meaning: "the private key does not belong to the certificate",
		advice: "report this as a defect",
	},
	REGISTER_TIMEOUT: {
		meaning: "no reply to RegisterThing arrived, although the request may have succeeded",
		advice:
			"check that the hook answers within 5 s and that the claim policy allows iot:Receive on the template's reply topics",
	},
	REGISTER_HUNG_UP: {
		meaning: "the connection ended while RegisterThing was under way",
		advice: "if it keeps happening, allow iot:Publish on topic/$aws/provisioning-templates/<template>/provision/…",
	},
	REGISTER_INVALID: {
		meaning: "the service says that the request RegisterThing is not valid",
		advice: "compare the parameters that the device sends with those of the template, and read errorMessage",
	},
	REGISTER_DENIED: {
		meaning: "the service denied RegisterThing",
		advice: "check that the template is enabled, what its hook answered, and that its role has the permissions",
	},
	TEMPLATE_UNKNOWN: {
		meaning: "there is no such provisioning template",
		advice: "check the template's name, and the endpoint (its account and region)",
	},
	RESOURCE_CONFLICT: {
		meaning: "a resource of the template exists already and must not be changed",
		advice: "check OverrideSettings in the template",
	},
	REGISTER_THROTTLED: {
		meaning: "too many devices register at once",
		advice: "nothing; for a large fleet, ask AWS for a higher quota",
	},
	REGISTER_FAULT: {
		meaning: "the service itself failed",
		advice: "nothing, as long as it is rare",
	},
	REGISTER_REPLY_MALFORMED: {
		meaning: "the device does not understand the reply to RegisterThing",
		advice: "report this as a defect, with the reason",
	},
	THING_NAME_MISSING: {
		meaning: "the device was registered, but the template made no thing",
		advice: "add an AWS::IoT::Thing resource to the template",
	},
	TOKEN_REFUSED: {
		meaning: "the service refused the certificate ownership token",
		advice: "nothing: the device begins again",
	},
	TOKEN_EXPIRED: {
		meaning: "the certificate ownership token has expired, an hour after it was issued",
		advice: "nothing: the device begins again",
	},
	IDENTITY_REFUSED: {
		meaning: "the service refused the connection with the device's own certificate",
		advice:
			"check that it is ACTIVE, that it has the device policy, and that this policy allows iot:Connect on client/<thing name>",
	},
	APPLICATION_CLOSED: {
		meaning: "the application closed its connection",
		advice: "nothing: the device connects again by itself",
	},
	APPLICATION_FAILED: {
		meaning: "the application threw an exception",
		advice: "correct the application; the detail says where it happened and what it threw",
	},
	STORE_FULL: {
		meaning: "there is no room left in flash",
		advice: "enlarge the nvs partition; nothing is erased to make room",
	},
	STORE_WRITE_FAILED: {
		meaning: "flash cannot be written, or does not read back what was written",
		advice: "replace the device if it keeps happening",
	},
	STORE_READ_FAILED: {
		meaning: "flash cannot be read",
		advice: "replace the device if it keeps happening",
	},
	STORE_NEWER: {
		meaning: "flash was written by newer firmware",
		advice: "install that firmware again; the device overwrites nothing",
	},
};
