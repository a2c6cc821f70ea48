// The client of Antiphon. `connect` is where to begin; what is below `core` knows neither IO nor time, and is no part of the interface.

export { Antiphon, connect, type AntiphonEvents, type AntiphonState } from './client.js';
export {
  Channel,
  type BroadcastOptions,
  type History,
  type HistoryOptions,
  type Presence,
  type PublicationOptions,
  type Published,
  type PublishOptions,
} from './channel.js';
export type { ChannelRef } from './core/channel_ref.js';
export type { Position } from './core/position.js';
export type { Gap, Message } from './core/wire.js';
export * from './errors.js';
export type { Cancellable } from './events.js';
export { Listener, type ListenCallback, type Listening, type Respond } from './listener.js';
export type { ConnectOptions, GivenToken, TokenOption } from './options.js';
