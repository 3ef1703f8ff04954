// Stands for the Lambda function of a custom authorizer: prints what the user name, else the token, asks for.
let text = "";
process.stdin.on("data", (chunk) => {
	text += chunk;
});
process.stdin.on("end", () => {
	const event = JSON.parse(text);
	const { mqtt = {} } = event.protocolData;
	const wish = (mqtt.username ?? event.token ?? "").split("?")[0];
	const password = Buffer.from(mqtt.password ?? "", "base64").toString();
	const answer = {
		isAuthenticated:
			wish !== "stranger" && (mqtt.username === undefined || password === "sesame" || event.token !== undefined),
		principalId:
			wish === "nameless" ? "not a name!" : `who${event.protocols.join("")}${event.signatureVerified ? "signed" : ""}`,
		policyDocuments: [
			{
				Version: "2012-10-17",
				Statement: [
					// biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
					{ Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:ClientId}" },
					{ Effect: "Allow", Action: ["iot:Publish", "iot:Receive"], Resource: `arn:aws:iot:*:*:topic/${wish}/*` },
				],
			},
		],
		disconnectAfterInSeconds: wish === "shortly" ? 1 : 86400,
		refreshAfterInSeconds: wish === "often" ? 1 : 300,
	};
	if (wish === "slow") setTimeout(() => {}, 60_000);
	else console.log(wish === "garbage" ? "{" : JSON.stringify(answer));
});
