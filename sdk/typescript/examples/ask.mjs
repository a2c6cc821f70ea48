// Says hello on the channel, and shows who answers: node examples/ask.mjs http://127.0.0.1:8080

import { connect } from 'antiphon';

const exp = await connect({ url: process.argv[2] ?? 'http://127.0.0.1:8080' });
const responses = await exp.getChannel('testChannel').broadcast('eventName', { text: 'hello?' }, 2000);
console.log(`${responses.length} responded:`, ...responses);
await exp.close();
