import type { ComponentChildren } from "preact";
import { t } from "../texts";
import { Dialog } from "./dialog";
import { Form, Submit, type Values } from "./form";

interface Props {
  title: string;
  /** What happens then. */
  text: ComponentChildren;
  /** What the button says that does it. */
  button: string;
  action: (values: Values) => Promise<void>;
  close: () => void;
  /** Whether it can be undone. */
  harmless?: boolean;
  /** Fields that the answer needs. */
  children?: ComponentChildren;
}

/** Asks before something that has consequences. */
export const Ask = ({ title, text, button, action, close, harmless, children }: Props) => (
  <Dialog title={title} close={close}>
    {typeof text === "string" ? <p>{text}</p> : text}
    <Form action={action}>
      {children}
      <div class="answers">
        <button type="button" onClick={close}>{t().cancel}</button>
        <Submit danger={!harmless}>{button}</Submit>
      </div>
    </Form>
  </Dialog>
);
