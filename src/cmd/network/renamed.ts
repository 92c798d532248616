/** Several of one kind in one manager: each under a name of its own. */
import type { Component } from "../../component/component.ts";

export function renamed(component: Component, name: string): Component {
  return { name, start: () => component.start(), stop: () => component.stop(), ready: () => component.ready() };
}
