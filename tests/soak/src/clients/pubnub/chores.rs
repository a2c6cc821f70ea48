//! What an app does beside publishing and listening.

use std::time::Duration;

use antiphon_tests::encoded;
use serde_json::json;

use super::super::native::fine;
use super::PubnubClient;
use crate::channels::Class;
use crate::client::Trouble;
use crate::credentials::{PUBLISH_KEY, SUBSCRIBE_KEY};

/// For how long messages are acted on: not until they are no longer kept.
const ACTED_ON_WITHIN: Duration = Duration::from_secs(100);

/// What divides the parts of an upload.
const BOUNDARY: &str = "soak-boundary";

impl PubnubClient {
    /// One of them.
    pub(super) async fn do_chore(&mut self, channel: &str) -> Result<(), Trouble> {
        let (name, uuid) = (encoded(channel), encoded(&self.name));
        match self.random.below(10) {
            0 | 1 => {
                let (names, group) = self.places();
                let state = encoded(&json!({"a": 1}).to_string());
                let path = format!(
                    "/v2/presence/sub-key/{SUBSCRIBE_KEY}/channel/{names}/heartbeat?heartbeat=10&uuid={uuid}{group}"
                );
                self.fetch(&path).await?;
                let path = format!(
                    "/v2/presence/sub-key/{SUBSCRIBE_KEY}/channel/{name}/uuid/{uuid}/data?state={state}&uuid={uuid}"
                );
                self.fetch(&path).await?;
                self.world.count("heartbeats");
            }
            2 => self.read_history(&name).await?,
            3 => {
                let path = format!("/v2/presence/sub-key/{SUBSCRIBE_KEY}/channel/{name}?uuid={uuid}");
                let answer = self.fetch(&path).await?;
                if !answer["occupancy"].is_u64() {
                    return Err(Trouble::Fault(format!("no here-now: {answer}")));
                }
            }
            4 | 5 => self.act(&uuid).await?,
            6 => {
                self.set_group(&self.name, "?add=batch.1").await?;
                self.set_group(&self.name, "").await?;
                if !self.has_group {
                    self.set_group(&self.name, "/remove").await?;
                }
            }
            7 => self.delete_history().await?,
            8 => self.send_file(&name, &uuid).await?,
            _ => {
                let path = format!("/signal/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/{name}/0/%22hi%22?uuid={uuid}");
                self.fetch(&path).await?;
            }
        }
        Ok(())
    }

    async fn read_history(&self, name: &str) -> Result<(), Trouble> {
        let answer =
            self.fetch(&format!("/v3/history/sub-key/{SUBSCRIBE_KEY}/channel/{name}?max=50")).await?;
        let page = answer["channels"].as_object().and_then(|channels| channels.values().next()?.as_array());
        let timetokens: Vec<_> = page
            .into_iter()
            .flatten()
            .map(|message| message["timetoken"].as_str().and_then(|token| token.parse::<u64>().ok()))
            .collect();
        if !timetokens.is_sorted_by(|one, next| one.is_some() && one < next) {
            return Err(Trouble::Fault(format!("history is out of order: {timetokens:?}")));
        }
        self.fetch(&format!("/v2/history/sub-key/{SUBSCRIBE_KEY}/channel/{name}?count=20")).await?;
        self.fetch(&format!("/v3/history/sub-key/{SUBSCRIBE_KEY}/message-counts/{name}?timetoken=1")).await?;
        self.world.count("histories read");
        Ok(())
    }

    /// Adds an action to what it published last, lists them, and takes it away.
    async fn act(&self, uuid: &str) -> Result<(), Trouble> {
        let Some((channel, timetoken, when)) = &self.published else { return Ok(()) };
        // An action goes with its message.
        if when.elapsed() > ACTED_ON_WITHIN
            || Class::of(channel) == Class::Short
            || Class::of(channel) == Class::Deleted
        {
            return Ok(());
        }
        let path = format!("/v1/message-actions/{SUBSCRIBE_KEY}/channel/{}", encoded(channel));
        let body = json!({"type": "reaction", "value": format!("at {}", self.world.now())});
        let call = self.world.api.post(&format!("{path}/message/{timetoken}?uuid={uuid}")).json(&body);
        let added = fine(&call.try_send().await?)?;
        let Some(action) = added["data"]["actionTimetoken"].as_str() else {
            return Err(Trouble::Fault(format!("no action: {added}")));
        };
        self.fetch(&format!("{path}?limit=10")).await?;
        let with_actions =
            format!("/v3/history-with-actions/sub-key/{SUBSCRIBE_KEY}/channel/{}?max=10", encoded(channel));
        self.fetch(&with_actions).await?;
        let removed = format!("{path}/message/{timetoken}/action/{action}?uuid={uuid}");
        fine(&self.world.api.delete(&removed).try_send().await?)?;
        self.world.count("actions added and removed");
        Ok(())
    }

    async fn delete_history(&mut self) -> Result<(), Trouble> {
        let channel = format!("deleted.{}", self.random.below(2));
        let path = format!("/v3/history/sub-key/{SUBSCRIBE_KEY}/channel/{channel}");
        self.world.ledger.delete(&channel, self.world.now());
        fine(&self.world.api.delete(&path).try_send().await?)?;
        self.world.ledger.delete(&channel, self.world.now());
        self.world.count("histories deleted");
        Ok(())
    }

    /// Uploads a file, tells of it, fetches it, and deletes it.
    async fn send_file(&mut self, name: &str, uuid: &str) -> Result<(), Trouble> {
        let api = self.world.api.clone();
        let path = format!("/v1/files/{SUBSCRIBE_KEY}/channels/{name}");
        let asked =
            api.post(&format!("{path}/generate-upload-url?uuid={uuid}")).json(&json!({"name": "soak.txt"}));
        let ticket = fine(&asked.try_send().await?)?;
        let (Some(id), Some(url)) =
            (ticket["data"]["id"].as_str(), ticket["file_upload_request"]["url"].as_str())
        else {
            return Err(Trouble::Fault(format!("no ticket: {ticket}")));
        };
        self.files = 1000 + self.random.below(60_000);
        let mut body = String::new();
        for field in ticket["file_upload_request"]["form_fields"].as_array().into_iter().flatten() {
            let (key, value) =
                (field["key"].as_str().unwrap_or_default(), field["value"].as_str().unwrap_or_default());
            body +=
                &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{key}\"\r\n\r\n{value}\r\n");
        }
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"soak.txt\"\r\nContent-Type: text/plain";
        let content = "f".repeat(self.files);
        body += &format!("--{BOUNDARY}\r\n{head}\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n");
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let Some(upload) = url.find("/v1/").map(|at| &url[at..]) else {
            return Err(Trouble::Fault(format!("no URL to upload to: {url}")));
        };
        fine(&api.post(upload).body(&content_type, body).try_send().await?)?;
        let told = encoded(&json!({"message": "a file", "file": {"id": id, "name": "soak.txt"}}).to_string());
        let publish =
            format!("/v1/files/publish-file/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/{name}/0/{told}?uuid={uuid}");
        self.fetch(&publish).await?;
        let redirect = api.get(&format!("{path}/files/{id}/soak.txt?uuid={uuid}")).try_send().await?;
        let place = redirect.header("location").to_owned();
        let Some(download) = place.find("/v1/").map(|at| &place[at..]) else {
            return Err(Trouble::Fault(format!("no file: {} {}", redirect.status, redirect.text())));
        };
        let file = api.get(download).try_send().await?;
        if file.status != 200 || file.body.len() != self.files {
            return Err(Trouble::Fault(format!(
                "a file of {} bytes came as {}",
                self.files,
                file.body.len()
            )));
        }
        fine(&api.delete(&format!("{path}/files/{id}/soak.txt?uuid={uuid}")).try_send().await?)?;
        self.world.count("files sent, fetched and deleted");
        Ok(())
    }
}
