// What the views say about users.
import type { Schemas } from "../api";
import { user } from "../session";
import { isolated } from "../texts";
import { a } from "./texts";

export type User = Schemas["User"];

/** Returns what to call a user. */
export const nameOf = (u: User): string => isolated(u.full_name || u.email);

export const isMe = (u: User): boolean => u.id === user.value?.id;

/** An invited user has not chosen a password yet. */
export const isInvited = (u: User): boolean => !u.is_active && !u.disabled;

export interface State {
  text: string;
  tone?: "good" | "bad" | "busy";
}

/** Returns whether and how a user can sign in. */
export function stateOf(u: User): State {
  const texts = a().users.states;
  if (u.disabled) return { text: texts.disabled, tone: "bad" };
  if (isInvited(u)) return { text: texts.invited, tone: "busy" };
  return u.email_verified_at ? { text: texts.active, tone: "good" } : { text: texts.unverified };
}
