// The setup link carries its token in the fragment, which never leaves the browser: put it into the form, and out of
// the address bar and the history. Without scripts the page asks for it.
const field = document.getElementById("token");
const token = location.hash.slice(1);
if (field && token.startsWith("sp_su_")) {
	field.value = token;
	history.replaceState(null, "", location.pathname);
	document.querySelector("button.primary")?.focus();
}
