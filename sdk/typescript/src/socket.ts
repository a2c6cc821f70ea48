/** What of a WebSocket is used; the browser's, that of Node 22 and `ws` have it in common. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketClass = new (url: string, protocols: string) => Socket;

/** The WebSocket that there is: the global one, or in Node below 22 the package `ws`. */
export async function webSocket(): Promise<SocketClass> {
  const global = (globalThis as { WebSocket?: unknown }).WebSocket;
  if (global) return global as SocketClass;
  return (await import('ws')).default as unknown as SocketClass;
}

/** The URL of the socket. */
export function socketUrl(base: string, token: string | undefined, identity: string): string {
  return `${base.replace(/^http/, 'ws')}/v1/events?${credentialQuery(token, identity)}`;
}

/** Browsers set no headers for a WebSocket, so who this is goes into the query. */
export function credentialQuery(token: string | undefined, identity: string): string {
  return new URLSearchParams({ identity, ...(token !== undefined && { token }) }).toString();
}
