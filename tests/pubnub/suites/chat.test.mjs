// All that the chat SDK does, in each way in which clients come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { INTERNAL_ADMIN_CHANNEL, MESSAGE_THREAD_ID_PREFIX, alsoListening, enter, listening, until } from '../harness/chat.mjs';
import { Place, fresh, inEachWay } from '../harness/session.mjs';

let place;
before(async () => (place = await Place.start()));
after(() => place?.stop());

inEachWay((way) =>
  describe(way.name, { concurrency: 4 }, () => {
    const pair = async (t, options) => Promise.all(['alice', 'bob'].map((name) => enter(t, place, way, fresh(name), options)));
    const group = async (chat, others, id = fresh('group')) =>
      chat.createGroupConversation({ users: others.map((other) => other.currentUser), channelId: id, channelData: { name: 'Group', description: 'of friends', custom: { n: 1 } } });
    const sent = async (channel, text, options) => {
      const { timetoken } = await channel.sendText(text, options);
      return channel.getMessage(timetoken);
    };

    test('users', async (t) => {
      const id = fresh('me');
      const chat = await enter(t, place, way, id);
      assert.deepEqual([chat.currentUser.id, chat.currentUser.name], [id, id], 'who is not there yet is made');
      const other = fresh('other');
      const user = await chat.createUser(other, { name: 'Otto', email: 'o@example.com', custom: { city: 'Köln' }, status: 'new', type: 'person' });
      assert.deepEqual([user.id, user.name, user.email, user.custom, user.status, user.type], [other, 'Otto', 'o@example.com', { city: 'Köln' }, 'new', 'person']);
      await assert.rejects(chat.createUser(other, { name: 'again' }));
      const updates = await listening(chat, 'update of the user', (callback) => user.streamUpdates(callback));
      const updated = await user.update({ name: 'Olga' });
      assert.equal(updated.name, 'Olga');
      assert.equal((await updates.next()).name, 'Olga');
      assert.equal((await chat.getUser(other)).email, 'o@example.com');
      assert.equal(await chat.getUser(fresh('nobody')), null);
      const { users, total } = await chat.getUsers({ filter: `id == '${other}'` });
      assert.deepEqual([users.map(({ name }) => name), total], [['Olga'], 1]);
      assert.deepEqual((await chat.getUserSuggestions('@Olg')).map((user) => user.id).includes(other), true);
      const soft = await chat.deleteUser(other, { soft: true });
      assert.equal(soft.status, 'deleted');
      assert.equal(await chat.deleteUser(other), true);
      assert.equal(await chat.getUser(other), null);
    });

    test('who was active when', async (t) => {
      const chat = await enter(t, place, way, fresh('active'), { storeUserActivityTimestamps: true });
      const watcher = await enter(t, place, way, fresh('watcher'));
      t.after(() => clearInterval(chat.lastSavedActivityInterval));
      let user;
      for (let tries = 0; tries < 100 && !user?.lastActiveTimestamp; tries++) user = await watcher.getUser(chat.currentUser.id);
      assert.ok(Math.abs(user.lastActiveTimestamp - Date.now()) < 10_000);
      assert.equal(user.active, true);
    });

    test('channels: direct, of a group, public', async (t) => {
      const [alice, bob] = await pair(t);
      const direct = await alice.createDirectConversation({ user: bob.currentUser, channelData: { name: 'We two' }, membershipData: { custom: { color: 'red' } } });
      assert.deepEqual([direct.channel.type, direct.channel.name], ['direct', 'We two']);
      assert.deepEqual([direct.hostMembership.user.id, direct.hostMembership.custom], [alice.currentUser.id, { color: 'red' }]);
      assert.equal(direct.inviteeMembership.user.id, bob.currentUser.id);
      const same = await bob.createDirectConversation({ user: alice.currentUser, channelData: { name: 'another name' } });
      assert.deepEqual([same.channel.id, same.channel.name], [direct.channel.id, 'We two']);

      const of = await group(alice, [bob]);
      assert.deepEqual([of.channel.type, of.channel.name, of.channel.description, of.channel.custom], ['group', 'Group', 'of friends', { n: 1 }]);
      assert.deepEqual(of.inviteesMemberships.map(({ user }) => user.id), [bob.currentUser.id]);

      const open = await alice.createPublicConversation({ channelId: fresh('public'), channelData: { name: 'All' } });
      assert.equal(open.type, 'public');
      assert.throws(() => open.getTyping(() => {}), /not supported in Public/);

      const memberships = (await bob.currentUser.getMemberships()).memberships.map(({ channel }) => channel.id);
      assert.deepEqual(memberships.sort(), [direct.channel.id, of.channel.id].sort());
      const { members, total } = await of.channel.getMembers();
      assert.deepEqual([members.map(({ user }) => user.id).sort(), total], [[alice, bob].map((chat) => chat.currentUser.id).sort(), 2]);

      const updates = await listening(bob, 'update of the channel', async (callback) => (await bob.getChannel(of.channel.id)).streamUpdates(callback));
      const updated = await of.channel.update({ name: 'Other group' });
      assert.equal(updated.name, 'Other group');
      assert.equal((await updates.next()).name, 'Other group');
      const { channels } = await alice.getChannels({ filter: `id == '${of.channel.id}'` });
      assert.deepEqual(channels.map(({ name }) => name), ['Other group']);
      assert.equal((await of.channel.delete({ soft: true })).status, 'deleted');
      assert.equal(await of.channel.delete(), true);
      assert.equal(await alice.getChannel(of.channel.id), null);
    });

    test('texts are sent, received and read again', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const bobs = await bob.getChannel(channel.id);
      const heard = await listening(bob, 'message', (callback) => bobs.connect(callback));
      const { timetoken } = await channel.sendText('hello ü', { meta: { mood: 'fine' } });
      const message = await heard.next();
      assert.deepEqual([message.text, message.timetoken, message.userId, message.channelId, message.meta.mood], ['hello ü', timetoken, alice.currentUser.id, channel.id, 'fine']);
      for (const text of ['two', 'three']) await bobs.sendText(text);
      const { messages, isMore } = await channel.getHistory({ count: 10 });
      assert.deepEqual([messages.map(({ text }) => text), isMore], [['hello ü', 'two', 'three'], false]);
      assert.equal((await channel.getHistory({ count: 2 })).isMore, true);
      assert.equal((await channel.getMessage(timetoken)).text, 'hello ü');
      heard.ended();
    });

    test('joining, leaving, inviting', async (t) => {
      const [alice, bob] = await pair(t);
      const channel = await alice.createPublicConversation({ channelId: fresh('public'), channelData: { name: 'All' } });
      const bobs = await bob.getChannel(channel.id);
      let membership;
      const heard = await listening(bob, 'message', async (callback) => {
        const joined = await bobs.join(callback, { custom: { since: 'today' } });
        membership = joined.membership;
        return joined.disconnect;
      });
      assert.deepEqual([membership.channel.id, membership.custom], [channel.id, { since: 'today' }]);
      await channel.sendText('welcome');
      assert.equal((await heard.next()).text, 'welcome');
      const updates = await alsoListening('update of the membership', (callback) => membership.streamUpdates(callback));
      assert.deepEqual((await membership.update({ custom: { since: 'long' } })).custom, { since: 'long' });
      assert.deepEqual((await updates.next()).custom, { since: 'long' });
      assert.equal(await bobs.leave(), true);
      assert.deepEqual((await channel.getMembers()).members, []);

      const { channel: closed } = await group(alice, [alice]);
      const invited = await closed.invite(bob.currentUser);
      assert.deepEqual([invited.user.id, invited.channel.id], [bob.currentUser.id, closed.id]);
      const again = await closed.inviteMultiple([bob.currentUser, alice.currentUser]);
      assert.deepEqual(again.map(({ user }) => user.id).sort(), [alice, bob].map((chat) => chat.currentUser.id).sort());
    });

    test('who is there', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const bobs = await bob.getChannel(channel.id);
      const present = await listening(alice, 'presence', (callback) => channel.streamPresence(callback));
      const leave = await listening(bob, 'message', (callback) => bobs.connect(callback));
      const both = [alice, bob].map((chat) => chat.currentUser.id).sort();
      await until(present, (ids) => ids.length === 2 && [...ids].sort().join() === both.join());
      assert.deepEqual((await channel.whoIsPresent()).sort(), both);
      assert.deepEqual(await bob.currentUser.wherePresent(), [channel.id]);
      assert.deepEqual([await channel.isPresent(bob.currentUser.id), await bob.currentUser.isPresentOn(fresh('elsewhere'))], [true, false]);
      leave.ended();
      await until(present, (ids) => ids.length === 1);
    });

    test('typing', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const bobs = await bob.getChannel(channel.id);
      const typing = await listening(bob, 'typing', (callback) => bobs.getTyping(callback));
      await channel.startTyping();
      assert.deepEqual(await typing.next(), [alice.currentUser.id]);
      await channel.stopTyping();
      assert.deepEqual(await typing.next(), []);
      await channel.startTyping();
      assert.deepEqual(await typing.next(), [alice.currentUser.id]);
      assert.deepEqual(await typing.next(), [], 'who says no more has stopped');
    });

    test('reactions, edits, deletion', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const bobs = await bob.getChannel(channel.id);
      const message = await sent(channel, 'first');
      const updates = await listening(bob, 'update of the message', async (callback) => (await bobs.getMessage(message.timetoken)).streamUpdates(callback));
      const reacted = await message.toggleReaction('👍');
      assert.equal(reacted.hasUserReaction('👍'), true);
      const seen = await updates.next();
      assert.deepEqual(seen.reactions['👍'].map(({ uuid }) => uuid), [alice.currentUser.id]);
      assert.equal(seen.hasUserReaction('👍'), false);
      assert.equal((await reacted.toggleReaction('👍')).hasUserReaction('👍'), false);
      await until(updates, (message) => !message.reactions['👍']?.length);
      const edited = await message.editText('second');
      assert.equal(edited.text, 'second');
      assert.equal((await updates.next()).text, 'second');
      await edited.editText('third');
      assert.equal((await channel.getMessage(message.timetoken)).text, 'third', 'the latest edit counts');
      const soft = await message.delete({ soft: true });
      assert.equal(soft.deleted, true);
      assert.equal((await channel.getMessage(message.timetoken)).deleted, true);
      assert.equal(await message.delete(), true);
      assert.deepEqual((await channel.getHistory()).messages, []);
    });

    test('threads', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const message = await sent(channel, 'root');
      assert.equal(message.hasThread, false);
      await assert.rejects(message.getThread(), (error) => error === 'This message is not a thread');
      const draft = await message.createThread();
      await draft.sendText('reply one');
      const root = await (await bob.getChannel(channel.id)).getMessage(message.timetoken);
      assert.equal(root.hasThread, true);
      const thread = await root.getThread();
      assert.deepEqual([thread.id, thread.parentChannelId], [`${MESSAGE_THREAD_ID_PREFIX}_${channel.id}_${message.timetoken}`, channel.id]);
      const heard = await listening(alice, 'message of the thread', async (callback) => (await message.getThread()).connect(callback));
      await thread.sendText('reply two');
      assert.equal((await heard.next()).text, 'reply two');
      const { messages } = await thread.getHistory();
      assert.deepEqual(messages.map(({ text, parentChannelId }) => [text, parentChannelId]), [['reply one', channel.id], ['reply two', channel.id]]);
      const pinned = await messages[0].pinToParentChannel();
      assert.equal((await pinned.getPinnedMessage()).text, 'reply one');
      // The SDK logs what it throws.
      t.mock.method(console, 'error', () => {});
      await assert.rejects(async () => messages[0].createThread(), (error) => /Only one level/.test(String(error)));
      // A root that goes takes its thread along.
      await root.delete();
      assert.equal(await alice.getChannel(thread.id), null);
    });

    test('what was read, and how much was not', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const receipts = await listening(alice, 'receipt', (callback) => channel.streamReadReceipts(callback));
      assert.deepEqual(await receipts.next(), {});
      const messages = [];
      for (const text of ['one', 'two', 'three']) messages.push(await sent(channel, text));
      let [membership] = (await bob.currentUser.getMemberships()).memberships;
      assert.equal(await membership.getUnreadMessagesCount(), false, 'nothing was read');
      membership = await membership.setLastReadMessage(messages[0]);
      assert.deepEqual(await receipts.next(), { [messages[0].timetoken]: [bob.currentUser.id] });
      assert.equal(membership.lastReadMessageTimetoken, messages[0].timetoken);
      assert.equal(await membership.getUnreadMessagesCount(), 2);
      const unread = await bob.getUnreadMessagesCounts();
      assert.deepEqual(unread.map(({ channel, count }) => [channel.id, count]), [[channel.id, 2]]);
      const { memberships } = await bob.markAllMessagesAsRead();
      assert.equal(memberships[0].lastReadMessageTimetoken, messages[2].timetoken);
      assert.deepEqual(await receipts.next(), { [messages[2].timetoken]: [bob.currentUser.id] });
      assert.deepEqual(await bob.getUnreadMessagesCounts(), []);
    });

    test('mentions', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const bobId = bob.currentUser.id;
      const mentions = await listening(bob, 'mention', (callback) => bob.listenForEvents({ channel: bobId, type: 'mention', method: 'publish', callback }));
      const { timetoken } = await channel.sendText('hi @Bob', { mentionedUsers: { 0: { id: bobId, name: 'Bob' } } });
      const event = await mentions.next();
      assert.deepEqual([event.payload, event.userId], [{ messageTimetoken: timetoken, channel: channel.id }, alice.currentUser.id]);
      const { enhancedMentionsData } = await bob.getCurrentUserMentions();
      assert.deepEqual(enhancedMentionsData.map(({ channelId, message, userId }) => [channelId, message.text, userId]), [[channel.id, 'hi @Bob', alice.currentUser.id]]);
      const message = await channel.getMessage(timetoken);
      assert.deepEqual(message.mentionedUsers, { 0: { id: bobId, name: 'Bob' } });
    });

    test('drafts, links, suggestions', async (t) => {
      const [alice, bob] = await pair(t);
      await bob.currentUser.update({ name: 'Bobby' });
      const { channel } = await group(alice, [bob]);
      const draft = channel.createMessageDraft({ userSuggestionSource: 'channel', isTypingIndicatorTriggered: false });
      const { users } = await draft.onChange('hello @Bobb');
      assert.deepEqual(users.suggestedUsers.map(({ id }) => id), [bob.currentUser.id]);
      draft.addMentionedUser(users.suggestedUsers[0], users.nameOccurrenceIndex);
      const { timetoken } = await draft.send();
      const message = await channel.getMessage(timetoken);
      assert.deepEqual(Object.values(message.mentionedUsers), [{ id: bob.currentUser.id, name: 'Bobby' }]);
      assert.ok(message.getLinkedText().some(({ type, content }) => type === 'mention' && content.id === bob.currentUser.id));
    });

    test('pinning, quoting, forwarding', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const { channel: other } = await group(alice, [bob]);
      const message = await sent(channel, 'to remember');
      const pinned = await channel.pinMessage(message);
      assert.equal((await pinned.getPinnedMessage()).text, 'to remember');
      assert.equal((await (await bob.getChannel(channel.id)).getPinnedMessage()).timetoken, message.timetoken);
      assert.equal(await (await pinned.unpinMessage()).getPinnedMessage(), null);

      const quoting = await sent(channel, 'indeed', { quotedMessage: message });
      assert.deepEqual(quoting.quotedMessage, { timetoken: message.timetoken, text: 'to remember', userId: alice.currentUser.id });

      const heard = await listening(alice, 'forwarded message', (callback) => other.connect(callback));
      const bobs = await (await bob.getChannel(channel.id)).getMessage(message.timetoken);
      await bobs.forward(other.id);
      const forwarded = await heard.next();
      assert.deepEqual([forwarded.text, forwarded.userId, forwarded.meta.originalPublisher], ['to remember', bob.currentUser.id, alice.currentUser.id]);
    });

    test('reports and moderation', async (t) => {
      const [alice, bob] = await pair(t);
      const { channel } = await group(alice, [bob]);
      const rude = await sent(channel, 'something rude');
      const isOurs = (event) => event.payload.reportedUserId === alice.currentUser.id;
      const reports = await listening(alice, 'report', (callback) => alice.listenForEvents({ channel: INTERNAL_ADMIN_CHANNEL, type: 'report', method: 'publish', callback }));
      await (await (await bob.getChannel(channel.id)).getMessage(rude.timetoken)).report('rude');
      const report = await until(reports, isOurs);
      assert.deepEqual([report.userId, report.payload], [
        bob.currentUser.id,
        { text: 'something rude', reason: 'rude', reportedMessageChannelId: channel.id, reportedMessageTimetoken: rude.timetoken, reportedUserId: alice.currentUser.id },
      ]);
      await (await bob.getUser(alice.currentUser.id)).report('spam');
      assert.deepEqual((await until(reports, isOurs)).payload, { reason: 'spam', reportedUserId: alice.currentUser.id });
      const { events } = await bob.getEventsHistory({ channel: INTERNAL_ADMIN_CHANNEL });
      assert.equal(events.filter(isOurs).length, 2);

      // Who may not write is a member of a channel for that, with the reason in its custom fields.
      const moderation = `PUBNUB_INTERNAL_MODERATION_${channel.id}`;
      const custom = { ban: true, mute: false, reason: 'rude' };
      await bob.sdk.objects.setChannelMembers({ channel: moderation, uuids: [{ id: alice.currentUser.id, custom }], include: { customFields: true } });
      const { data } = await bob.sdk.objects.getChannelMembers({ channel: moderation, filter: `uuid.id == '${alice.currentUser.id}'`, include: { customFields: true } });
      assert.deepEqual(data.map((member) => [member.uuid.id, member.custom]), [[alice.currentUser.id, custom]]);
      await bob.sdk.objects.removeChannelMembers({ channel: moderation, uuids: [alice.currentUser.id] });
      assert.deepEqual((await bob.sdk.objects.getChannelMembers({ channel: moderation })).data, []);
    });

    test('events of the application\'s own', async (t) => {
      const [alice, bob] = await pair(t);
      const channel = fresh('events');
      const signals = await listening(bob, 'signal', (callback) => bob.listenForEvents({ channel, callback }));
      await alice.emitEvent({ channel, payload: { n: 1 } });
      const event = await signals.next();
      assert.deepEqual([event.type, event.payload, event.userId, event.channelId], ['custom', { n: 1 }, alice.currentUser.id, channel]);
      const published = await alsoListening('published event', (callback) => bob.listenForEvents({ channel, method: 'publish', callback }));
      await alice.emitEvent({ channel, method: 'publish', payload: { n: 2 } });
      assert.deepEqual((await published.next()).payload, { n: 2 });
      const { events } = await bob.getEventsHistory({ channel });
      assert.deepEqual(events.map(({ payload }) => payload), [{ n: 2 }]);
    });

    test('files and push', async (t) => {
      const [alice, bob] = await pair(t, { pushNotifications: { sendPushes: true, deviceToken: fresh('device'), deviceGateway: 'gcm' } });
      const { channel } = await group(alice, [bob]);
      const heard = await listening(bob, 'message', async (callback) => (await bob.getChannel(channel.id)).connect(callback));
      await channel.sendText('look', { files: [{ data: 'text of a file', name: 'a.txt', mimeType: 'text/plain' }] });
      const { files, content } = await heard.next();
      assert.equal(content.pn_gcm.notification.body, 'look', 'what devices are to be told comes along');
      assert.equal(await (await fetch(files[0].url)).text(), 'text of a file');
      const listed = await channel.getFiles();
      assert.deepEqual([listed.files.map(({ name }) => name), listed.total], [['a.txt'], 1]);
      await channel.deleteFile({ id: files[0].id, name: 'a.txt' });
      assert.deepEqual((await channel.getFiles()).files, []);

      await channel.registerForPush();
      await alice.registerPushChannels(['another']);
      assert.deepEqual((await alice.getPushChannels()).sort(), [channel.id, 'another'].sort());
      await channel.unregisterFromPush();
      assert.deepEqual(await alice.getPushChannels(), ['another']);
      await alice.unregisterAllPushChannels();
      assert.deepEqual(await alice.getPushChannels(), []);
    });
  }),
);
