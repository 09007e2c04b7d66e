/** A word about the state of something. The color only repeats what the word says. */
export const Tag = ({ tone, children }: { tone?: "good" | "bad" | "busy"; children: string }) => (
  <span class={tone ? `tag ${tone}` : "tag"}>{children}</span>
);
