// Asks the browser for a passkey and sends its answer with the form that asked. The options come with the page, as JSON
// in which bytes are base64url (WebAuthn Level 3, 5.1.8 to 5.1.10).
const toBytes = (text) =>
	Uint8Array.from(
		atob(text.replaceAll("-", "+").replaceAll("_", "/")),
		(character) => character.charCodeAt(0),
	);
const toText = (buffer) =>
	btoa(String.fromCharCode(...new Uint8Array(buffer)))
		.replaceAll("+", "-")
		.replaceAll("/", "_")
		.replaceAll("=", "");
const withBytes = (descriptors) =>
	(descriptors ?? []).map((descriptor) => ({
		...descriptor,
		id: toBytes(descriptor.id),
	}));

async function create(options) {
	const credential = await navigator.credentials.create({
		publicKey: {
			...options,
			challenge: toBytes(options.challenge),
			user: { ...options.user, id: toBytes(options.user.id) },
			excludeCredentials: withBytes(options.excludeCredentials),
		},
	});
	return answerOf(credential, {
		attestationObject: toText(credential.response.attestationObject),
		transports: credential.response.getTransports?.() ?? [],
	});
}

async function get(options) {
	const credential = await navigator.credentials.get({
		publicKey: {
			...options,
			challenge: toBytes(options.challenge),
			allowCredentials: withBytes(options.allowCredentials),
		},
	});
	const { authenticatorData, signature, userHandle } = credential.response;
	return answerOf(credential, {
		authenticatorData: toText(authenticatorData),
		signature: toText(signature),
		...(userHandle ? { userHandle: toText(userHandle) } : {}),
	});
}

function answerOf(credential, response) {
	return {
		id: credential.id,
		rawId: toText(credential.rawId),
		type: credential.type,
		response: {
			...response,
			clientDataJSON: toText(credential.response.clientDataJSON),
		},
		clientExtensionResults: {},
	};
}

const isAble = Boolean(window.PublicKeyCredential);
for (const sentence of document.querySelectorAll("[data-without-passkeys]"))
	sentence.hidden = isAble;
for (const form of isAble
	? document.querySelectorAll("form[data-passkey]")
	: []) {
	form.hidden = false;
	const message = form.querySelector("[role=alert]");
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		message.textContent = "";
		try {
			const ceremony = form.dataset.passkey === "create" ? create : get;
			form.elements.passkey.value = JSON.stringify(
				await ceremony(JSON.parse(form.dataset.options)),
			);
			form.submit();
		} catch {
			// Turned away, too late, or none there: the browser does not say which, so that pages cannot find out.
			message.textContent =
				"No passkey was used. Try again, or choose another way.";
		}
	});
}
