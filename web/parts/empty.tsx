/** What stands where there is nothing, and what to do. */
import type { ComponentChildren, JSX } from "preact";

export interface EmptyProps {
  readonly title: string;
  /** A command to try. */
  readonly code?: string;
  readonly children: ComponentChildren;
}

export function Empty({ title, code, children }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      <strong>{title}</strong>
      <p>{children}</p>
      {code !== undefined && <pre class="code">{code}</pre>}
    </div>
  );
}
