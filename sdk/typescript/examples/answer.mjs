// Answers who says hello on the channel. Run it first, then ask.mjs: node examples/answer.mjs http://127.0.0.1:8080

import { connect } from 'antiphon';

const exp = await connect({ url: process.argv[2] ?? 'http://127.0.0.1:8080' });
const channel = exp.getChannel('testChannel');
const listener = await channel.listen('eventName', (payload, respond) => {
  if (payload && payload.text === 'hello?') respond('hi there!');
});
console.log('listening; Ctrl-C ends it');

process.on('SIGINT', () => {
  listener.cancel();
  exp.close();
});
