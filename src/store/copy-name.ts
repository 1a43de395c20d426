import { hostname } from 'node:os'

/** What others call this copy of a connector. In a container, the host name is its id or that of its pod. */
export function copyName(): string {
  return `${hostname()}, process ${process.pid}`
}
