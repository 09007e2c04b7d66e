// Whose transfers they are.
import { effect, untracked } from "@preact/signals";
import { ended, state, user } from "./session";

/**
 * Forgets what belongs to a user when that user signs out, or another one signs in. After an
 * expired session, the same user may go on.
 */
export function ofOneUser(forget: () => void): void {
  let owner: string | undefined;
  effect(() => {
    const other = user.value ? user.value.id !== owner : state.value === "out" && ended.value !== "expired";
    owner = user.value?.id ?? owner;
    if (other) untracked(forget);
  });
}
