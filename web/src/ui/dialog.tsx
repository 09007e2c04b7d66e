// A question or a list of choices, above the view. The browser keeps the focus inside, and
// gives it back afterwards.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../texts";
import { Icon } from "./icon";

interface Props {
  title: string;
  close: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, close, wide, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current!.showModal();
    dialog.current!.querySelector<HTMLInputElement>("input")?.select();
    return () => {
      // What had the focus may be gone, such as the row of a deleted file.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      else document.querySelector<HTMLElement>("h1")?.focus();
    };
  }, []);
  // At once: the event of the browser follows later, when the dialog may be wanted again.
  function cancel(event: Event) {
    event.preventDefault();
    close();
  }
  return (
    <dialog
      ref={dialog} class={wide ? "wide" : ""} aria-labelledby={id} onClose={close} onCancel={cancel}
      onClick={(event) => event.target === event.currentTarget && close()}
    >
      <div class="inner">
        <h2 id={id}>{title}</h2>
        {children}
        {/* It is the last one, so that the focus begins at the choices. */}
        <button type="button" class="close" aria-label={t().close} onClick={close}><Icon name="close" /></button>
      </div>
    </dialog>
  );
}
