//! What a page is looked at with, and whether it is looked at: screens, colours, hidden windows,
//! lost networks.

use serde_json::json;

use super::window::Window;

impl Window {
    /// Makes the page itself this large, in CSS pixels, whatever the window.
    pub fn set_size(&self, width: u32, height: u32) {
        self.set_screen(width, height, false);
    }

    /// A phone: its size, its touch screen, its pixel ratio.
    pub fn be_a_phone(&self) {
        self.set_screen(390, 844, true);
        self.cdp(
            "Emulation.setTouchEmulationEnabled",
            &json!({ "enabled": true }),
        );
    }

    /// Prefers dark colours, or light ones.
    pub fn prefer_dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.cdp(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// Takes this page's network away for new requests, or gives it back, with the events that
    /// tell the page. Streams that are open live on: cutting those is a [`Proxy`](crate::Proxy)'s work.
    pub fn offline(&self, offline: bool) {
        self.cdp("Network.enable", &json!({}));
        let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.cdp("Network.emulateNetworkConditions", &conditions);
    }

    /// Hides the page, as another tab in front of it does, by making its window small; it stays
    /// hidden while other windows are used.
    pub fn hide(&self) {
        self.set_window_state("minimized");
        self.wait_true("document.visibilityState === 'hidden'");
    }

    /// Shows the page again.
    pub fn show(&self) {
        self.set_window_state("normal");
        self.wait_true("document.visibilityState === 'visible'");
    }

    fn set_screen(&self, width: u32, height: u32, mobile: bool) {
        let metrics = json!({
            "width": width, "height": height, "mobile": mobile, "deviceScaleFactor": if mobile { 3 } else { 1 },
        });
        self.cdp("Emulation.setDeviceMetricsOverride", &metrics);
    }

    fn set_window_state(&self, state: &str) {
        let id = self.cdp("Browser.getWindowForTarget", &json!({}))["windowId"].take();
        self.cdp(
            "Browser.setWindowBounds",
            &json!({ "windowId": id, "bounds": { "windowState": state } }),
        );
    }
}
