// Moves the code of the link from the address into the form, so that neither the
// history nor a screenshot of the address bar keeps it. Without scripts, the field for
// the code is visible.
const field = document.querySelector("input[name=token]");
const code = location.hash.slice(1);
if (field && code) {
  field.value = code;
  field.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname);
}
