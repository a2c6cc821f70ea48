// What a strict TypeScript program of an ES module sees. It is compiled, and not run.

import { AntiphonError, connect, InterruptedError, type Antiphon, type Channel, type Listener, type Message } from 'antiphon';

interface Ask {
  text: string;
}

export async function uses(signal: AbortSignal): Promise<void> {
  const exp: Antiphon = await connect({ url: 'http://127.0.0.1:8080', device: { uuid: 'u', secret: 's' }, signal });
  await connect({ url: 'http://127.0.0.1:8080', token: async () => ({ token: 't', expires: 1 }) });
  const channel: Channel = exp.getChannel('room', { consumer: true });

  const listening = channel.listen<Ask>('ask', (payload, respond, message: Message<Ask>) => {
    const text: string = payload.text;
    void respond({ text, position: message.position });
  });
  listening.cancel();
  const listener: Listener = await listening;
  listener.cancel();

  // As in plain JavaScript.
  await channel.listen('ask', (payload, respond) => payload.text === 'hello?' && respond('hi there!'));
  const texts: string[] = await channel.broadcast<string>('ask', { text: 'hello?' }, 2000);
  const anything: unknown[] = await channel.fling(new Uint8Array([1]));
  const { position, stored }: { position: string; stored: boolean } = await channel.publish('note', texts, { ttl: '10m', signal });
  const { messages, gap } = await channel.history({ since: position, limit: 10 });
  const { occupancy } = await channel.presence();
  exp.on('gap', ({ since, resumed }) => [since, resumed]);
  exp.on('offline', (error) => error.type === 'unreachable');
  exp.on('close', (error) => error?.status);
  await exp.close();

  const error: unknown = [anything, stored, messages, gap, occupancy];
  if (error instanceof InterruptedError) error.responses satisfies unknown[];
  if (error instanceof AntiphonError && error.type === 'not-permitted') error.channel?.name satisfies string | undefined;

  // @ts-expect-error: there is no such event
  exp.on('nothing', () => {});
  // @ts-expect-error: a device has a secret
  await connect({ url: '', device: { uuid: 'u' } });
}
