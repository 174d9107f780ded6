// Origins and hosts: which pages of a browser may call the server.

/** True of an address that only this machine reaches. */
export const isLoopback = (host: string): boolean => /^(?:localhost|127(?:\.\d+){3}|::1)$/i.test(host)

/**
 * True of a Host header under which a server on the loopback address may be asked without a key. A page of the network whose name was
 * pointed to this machine (DNS rebinding) brings its own name.
 */
export const isLocalName = (host: string | undefined): boolean =>
  host !== undefined && /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/i.test(host)

/** Tells if a page of this origin may call, and read what it is answered: its own origin, and those that were allowed. */
export function allowsOrigin(origin: string, host: string | undefined, allowed: readonly string[]): boolean {
  if (allowed.includes('*') || allowed.includes(origin)) return true
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)
}
