/** Which channel: the same name with other flags is another channel. */
export interface ChannelRef {
  readonly name: string;
  readonly system: boolean;
  readonly consumer: boolean;
}

/** A channel as a key of maps. */
export type ChannelKey = string & { readonly channelKey: unique symbol };

export function channelKey({ name, system, consumer }: ChannelRef): ChannelKey {
  return `${system ? 's' : '-'}${consumer ? 'c' : '-'}${name}` as ChannelKey;
}

/** A channel's members in a message of the wire. */
export interface WireChannel {
  channel: string;
  system?: boolean;
  consumer?: boolean;
}

export function writeChannel({ name, system, consumer }: ChannelRef): WireChannel {
  return { channel: name, ...(system && { system }), ...(consumer && { consumer }) };
}

export function readChannel({ channel, system, consumer }: WireChannel): ChannelRef {
  return { name: channel, system: system === true, consumer: consumer === true };
}
